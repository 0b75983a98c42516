"""`ics:`, an invitation: shown by calendars as such, and a file for all others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from bulkmail.address import Mailbox, excerpt, parse_address, parse_mailbox, printable
from bulkmail.campaign.document import Loc
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.attachment import InvitationModel
from bulkmail.message.calendar import Event, invitation
from bulkmail.message.files.part import file_part
from bulkmail.message.files.reader import FileBody
from bulkmail.message.frame import Part
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates
from bulkmail.message.transfer_encoding import ENCODING_FIELDS, BodyText, encode_text

_FIELD = b'Content-Type: text/calendar; charset="utf-8"; method=REQUEST\r\n'
_HOUR, _DAY = 3600.0, 86400.0
#: Calendars know no others, and UTC is within a day of any zone.
_YEARS = range(1900, 9999)


class Invitation:
    """The campaign's event, compiled."""

    def __init__(
        self,
        campaign: Campaign,
        templates: Templates,
        model: InvitationModel,
        loc: Loc,
        *,
        filename: Renderer | None,
    ) -> None:
        def compiled(text: str | None, *place: str | int) -> Renderer | None:
            return None if text is None else templates.inline(text, place)

        self._start = templates.inline(model.start, (*loc, "start"))
        self._end = compiled(model.end, *loc, "end")
        self._seconds = model.duration
        self._summary = compiled(model.summary, *loc, "summary") or templates.inline(
            campaign.model.subject, ("subject",)
        )
        self._location = compiled(model.location, *loc, "location")
        self._description = compiled(model.description, *loc, "description")
        self._url = compiled(model.url, *loc, "url")
        self._organizer = compiled(model.organizer, *loc, "organizer") or templates.inline(
            campaign.model.from_, ("from",)
        )
        self._timezone = model.timezone
        self._filename = filename

    def parts(self, row: Row) -> tuple[Part, Part] | None:
        """The alternative that calendars show, and the file; None: `row` holds a fault."""
        event = self._event(row)
        filename = "invite.ics" if self._filename is None else self._filename.line(row)
        if event is None or filename is None:
            return None
        text = invitation(event)
        shown = encode_text(BodyText.of(text))
        name = filename or "invite.ics"
        file = file_part(name, "application/ics", FileBody.of(text.encode()))
        return (_FIELD + ENCODING_FIELDS[shown.encoding] + b"\r\n", shown, None), file

    def _event(self, row: Row) -> Event | None:
        start, end = self._times(row)
        organizer = self._person(row)
        texts = [
            "" if renderer is None else renderer.line(row)
            for renderer in (self._summary, self._location, self._url)
        ]
        description = "" if self._description is None else self._description.render(row)
        summary, location, url = texts
        if start is None or end is None or organizer is None or description is None:
            return None
        if summary is None or location is None or url is None:
            return None
        try:
            attendee = Mailbox(_name(row), parse_address(row.delivery.address))
        except ValueError:
            # The envelope says what is wrong with the address.
            return None
        return Event(
            uid=row.delivery.message_id.strip("<>"),
            summary=summary,
            starts_at=start,
            ends_at=end,
            organizer=organizer,
            attendee=attendee,
            stamped_at=row.variables["now"],
            location=location,
            description=description,
            url=url,
        )

    def _times(self, row: Row) -> tuple[date | None, date | None]:
        start = self._moment(self._start, row)
        try:
            return start, self._end_after(start, row)
        except OverflowError:
            row.add(self._start.fault(f"the event ends after the year {_YEARS[-1]}"))
            return start, None

    def _end_after(self, start: date | None, row: Row) -> date | None:
        if start is None or self._end is None:
            return None if start is None else self._usual_end(start, row)
        end = self._moment(self._end, row)
        if end is None:
            return None
        if isinstance(end, datetime) != isinstance(start, datetime):
            row.add(self._end.fault("one of start and end has a time, and the other has none"))
            return None
        # A last day is written as people say it; the calendar wants the day after (3.6.1).
        end = end if isinstance(end, datetime) else end + timedelta(days=1)
        if end > start:
            return end
        row.add(self._end.fault("the event ends before it starts"))
        return None

    def _usual_end(self, start: date, row: Row) -> date | None:
        if isinstance(start, datetime):
            # In absolute time: an event over a change of the clocks lasts as long as it says.
            return start.astimezone(UTC) + timedelta(seconds=self._seconds or _HOUR)
        days, rest = divmod(self._seconds or _DAY, _DAY)
        if rest:
            row.add(self._start.fault("a day without a time, and `duration` is not in whole days"))
            return None
        return start + timedelta(days=days)

    def _moment(self, renderer: Renderer, row: Row) -> date | None:
        text = renderer.line(row)
        if text is None:
            return None
        for parse in (date.fromisoformat, datetime.fromisoformat):
            try:
                at = parse(text)
            except ValueError:
                continue
            if at.year not in _YEARS:
                break
            if not isinstance(at, datetime):
                return at
            return at if at.tzinfo else at.replace(tzinfo=self._zone(row))
        row.add(
            renderer.fault(f"`{printable(text)}` is no moment such as 2026-12-01T09:00, and no day")
        )
        return None

    def _zone(self, row: Row) -> tzinfo | None:
        """The event's zone: its own, else that of the campaign, which `now` is in."""
        if self._timezone:
            return ZoneInfo(self._timezone)
        now: datetime = row.variables["now"]
        return now.tzinfo

    def _person(self, row: Row) -> Mailbox | None:
        text = self._organizer.line(row)
        if text is None:
            return None
        try:
            return parse_mailbox(text)
        except ValueError as error:
            row.add(self._organizer.fault(f"`{excerpt(text)}` is not an address: {error}"))
            return None


def _name(row: Row) -> str:
    name = row.delivery.fields.get("name")
    return "" if name is None or row.unsafe(str(name)) else str(name).strip()
