"""Text messages out of a campaign and its rows: compiled once, then made one row at a time.

Meets what the road asks of a composer; a pure function of campaign, row and instant, too.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

from bulkmail.address import control_character
from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.gateway import GatewayModel
from bulkmail.campaign.models.sms import SmsModel, chosen_gateway
from bulkmail.fate import Delivery, FileNote
from bulkmail.message.faults import RowSkipped
from bulkmail.message.fingerprint import digests
from bulkmail.message.row import Row
from bulkmail.message.sms.gateway_request import GATEWAY_VARIABLE, RequestTemplates
from bulkmail.message.sms.segments import text_size
from bulkmail.message.sms.text_message import RenderedRequest, TextMessage
from bulkmail.message.templates.language import Localised, language_column
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.skipping import SkipRule
from bulkmail.message.templates.templates import Kind, Templates

#: Changes when the same inputs come to another text.
_VERSION = "bulkmail text 1"
_MESSAGE_KEYS = {"text", "content", "skip_if", "language", "max_segments"}
_REQUEST_KEYS = {"provider", "url", "query", "headers", "form", "json_", "max_characters"}
#: The longest text that ihuyi takes.
IHUYI_CHARACTERS = 300


class TextComposer:
    """Makes the text messages of one campaign."""

    def __init__(self, campaign: Campaign, sms: SmsModel) -> None:
        """Compile everything that no row changes.

        Raises `ConfigurationError` with every template that is missing or does not compile.
        """
        self._campaign = campaign
        self._sms = sms
        path = campaign.model.recipients.path
        self._templates = Templates(campaign, path or "the recipients")
        self._skip = SkipRule(campaign, self._templates)
        self._text = self._compiled()
        self._gateway, loc = chosen_gateway(sms, campaign.project)
        self._request = self._request_templates(loc)
        self._templates.raise_faults()

    def _compiled(self) -> Localised:
        if self._sms.text is not None:
            return self._templates.localised(self._sms.text, ("text",), kind=Kind.TEXT)
        renderer = self._templates.inline(self._sms.content or "", ("content",))
        return Localised(renderer, {}, language_column(self._campaign.model))

    def _request_templates(self, loc: Loc) -> RequestTemplates | None:
        if self._gateway is None or self._gateway.url is None:
            return None
        return RequestTemplates(self._gateway, loc, self._templates)

    @cached_property
    def _zone(self) -> ZoneInfo | None:
        """The campaign's zone; None is the system's."""
        name = self._campaign.model.schedule.timezone
        return ZoneInfo(name) if name else None

    async def compose(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> TextMessage:
        """The message for one row at one (aware) instant.

        With `only_to` it is addressed to that number. Raises `RowFaults` with all that is wrong
        with the row, `RowSkipped` where `skip_if` holds for it.
        """
        row = Row(delivery, self._campaign.name, instant, self._zone)
        if reason := self._skip.reason(row):
            raise RowSkipped(reason, row=delivery.row, address=delivery.address)
        renderer = self._text.for_row(row)
        text = _clean(renderer.render(row) or "")
        if row.is_sound:
            self._judge(text, renderer, row)
        row.raise_faults()
        number = only_to or delivery.address
        return TextMessage.to(
            number,
            text,
            message_id=delivery.message_id,
            row=delivery.row,
            request=self._filled_in(row, number, text),
        )

    async def draft(
        self, delivery: Delivery, instant: datetime, *, only_to: str | None = None
    ) -> TextMessage:
        """The same: a text has no signature to leave out."""
        return await self.compose(delivery, instant, only_to=only_to)

    def _judge(self, text: str, renderer: Renderer, row: Row) -> None:
        """Note what is wrong with a text."""
        if not text:
            row.add(renderer.fault("the text is empty"))
            return
        unsafe = next((c for c in text if c not in "\n\t" and control_character(c)), None)
        if unsafe is not None:
            where = row.columns_with(unsafe)
            row.add(renderer.fault(f"{control_character(unsafe)}{where}, in a text message"))
            return
        most = self._most_characters
        if most is not None and len(text) > most:
            row.add(
                renderer.fault(
                    f"the text has {len(text)} characters, and the gateway takes {most} at most"
                )
            )
        size = text_size(text)
        if self._sms.max_segments is not None and size.segments > self._sms.max_segments:
            row.add(
                renderer.fault(
                    f"the text takes {size.segments} segments ({size.characters} characters, "
                    f"{size.encoding}), and `max_segments` is {self._sms.max_segments}"
                )
            )

    @property
    def _most_characters(self) -> int | None:
        gateway = self._gateway
        if gateway is None:
            return None
        return gateway.max_characters or (IHUYI_CHARACTERS if gateway.provider == "ihuyi" else None)

    def _filled_in(self, row: Row, number: str, text: str) -> RenderedRequest | None:
        if self._request is None:
            return None
        own = {
            "mobile": number,
            "digits": number.removeprefix("+"),
            "content": text,
            "message_id": row.delivery.message_id,
            "gateway": GATEWAY_VARIABLE,
        }
        asked = Row(row.delivery, self._campaign.name, row.instant, row.zone, own)
        request = self._request.request(asked)
        asked.raise_faults()
        return request

    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that goes into every message: keys, templates, the gateway's."""
        facts = [
            _VERSION,
            self._sms.schedule.timezone,
            self._sms.model_dump(mode="json", include=_MESSAGE_KEYS),
            self._gateway_facts(self._gateway),
            sorted((str(path), source) for path, source in self._templates.sources()),
        ]
        text = json.dumps(facts, ensure_ascii=True, sort_keys=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()

    @staticmethod
    def _gateway_facts(gateway: GatewayModel | None) -> object:
        return gateway and gateway.model_dump(mode="json", include=_REQUEST_KEYS)

    def parts(self) -> dict[str, str]:
        """Templates, from the project root where they lie below it, to digests."""
        return digests(self._campaign, self._templates.sources(), ())

    @property
    def has_own_files(self) -> bool:
        """A text message has no files."""
        return False

    def note_owner(self, note: FileNote, key: str, row: int, address: str) -> bool:
        """There are no files that somebody could own."""
        del note, key, row, address
        return True

    @property
    def may_skip(self) -> bool:
        """Whether the campaign has a condition by which rows get nothing."""
        return not self._skip.is_empty

    def skips(self, delivery: Delivery, instant: datetime) -> str | None:
        """Why the row gets nothing by `skip_if`, as of `instant`; None when it may get a text."""
        return self._skip.reason(Row(delivery, self._campaign.name, instant, self._zone))


def _clean(text: str) -> str:
    """Without the line breaks that end a template's file: each would be a character paid for."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
