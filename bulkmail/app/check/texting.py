"""What a check says of a campaign's texts: segments, their encoding, and what they cost."""

from __future__ import annotations

from bulkmail.campaign.models.gateway import GatewayModel
from bulkmail.message.sms.segments import Encoding, TextSize, not_gsm
from bulkmail.message.sms.text_message import TextMessage
from bulkmail.report.wording import counted, number
from bulkmail.value_class import value_class

#: So many odd characters may be an oversight (a curly quote); more of them are a language.
_FEW = 3


@value_class
class _Largest:
    size: TextSize
    row: int


class TextTally:
    """Counts the texts of a campaign."""

    def __init__(self) -> None:
        self.messages = 0
        self.segments = 0
        self._largest: _Largest | None = None
        self._odd: tuple[str, int] | None = None

    @property
    def most_segments(self) -> int:
        """Of one message; 0 where there is none."""
        return 0 if self._largest is None else self._largest.size.segments

    def add(self, message: TextMessage) -> None:
        """Count one."""
        size = message.text_size
        self.messages += 1
        self.segments += size.segments
        largest = self._largest
        if largest is None or (size.segments, size.units) > (
            largest.size.segments,
            largest.size.units,
        ):
            self._largest = _Largest(size, message.row)
        if self._odd is None and size.encoding is Encoding.UCS2:
            odd = not_gsm(message.text)
            self._odd = odd if len(odd) <= _FEW else "", message.row

    def sentences(self, gateway: GatewayModel | None) -> tuple[str, ...]:
        """What is worth knowing, a sentence each."""
        if self._largest is None:
            return ()
        largest = self._largest
        counts = f"{counted(self.messages, 'text')}, {counted(self.segments, 'segment')}"
        told = [f"{counts}; the longest has {largest.size} (row {largest.row})"]
        if self._odd is not None and self._odd[0]:
            odd, row = self._odd
            told.append(
                f"Only {' '.join(odd)} keeps row {row}'s text out of GSM 03.38: without it a "
                "segment holds 160 characters instead of 70"
            )
        if cost := estimate(self.segments, gateway):
            told.append(f"They cost about {cost}, at {price(gateway)} a segment")
        return tuple(told)


def estimate(segments: int, gateway: GatewayModel | None) -> str:
    """What so many segments cost, ``120.50 CNY``; "" where the gateway has no price."""
    if gateway is None or gateway.price_per_segment is None:
        return ""
    cost = segments * gateway.price_per_segment
    return f"{cost:,.2f} {gateway.currency or ''}".rstrip() if cost else number(0)


def price(gateway: GatewayModel | None) -> str:
    """Of a segment, as it is written."""
    if gateway is None or gateway.price_per_segment is None:
        return ""
    return f"{gateway.price_per_segment:g} {gateway.currency or ''}".rstrip()
