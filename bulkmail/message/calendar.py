"""iCalendar (RFC 5545): one event, as text that every calendar reads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

from bulkmail.address import Mailbox
from bulkmail.value_class import value_class

_LINE = 75
_TEXT = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n"})


@value_class(kw_only=True)
class Event:
    """What an invitation is for. Moments are aware; `ends_at`, a day, is that after the last."""

    uid: str
    summary: str
    starts_at: date
    ends_at: date
    organizer: Mailbox
    attendee: Mailbox
    #: When the invitation was made.
    stamped_at: datetime
    location: str = ""
    description: str = ""
    url: str = ""


def invitation(event: Event) -> str:
    """An object with METHOD:REQUEST (RFC 5546, 3.2.2), lines ended by CRLF, folded at 75 octets.

    Moments are in UTC: every calendar shows them in its owner's zone, without a table of zones.
    """
    return "".join(f"{_folded(line)}\r\n" for line in _lines(event))


def _lines(event: Event) -> Iterator[str]:
    yield from ("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//bulkmail//EN", "METHOD:REQUEST")
    yield from ("BEGIN:VEVENT", f"UID:{event.uid}", f"DTSTAMP:{_moment(event.stamped_at)}")
    yield f"DTSTART{_when(event.starts_at)}"
    yield f"DTEND{_when(event.ends_at)}"
    yield f"SUMMARY:{_text(event.summary)}"
    for name, value in (("LOCATION", event.location), ("DESCRIPTION", event.description)):
        if value:
            yield f"{name}:{_text(value)}"
    if event.url:
        yield f"URL:{event.url}"
    yield f"ORGANIZER{_person(event.organizer)}"
    yield (
        "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
        f"{_person(event.attendee)}"
    )
    yield from ("SEQUENCE:0", "STATUS:CONFIRMED", "TRANSP:OPAQUE", "END:VEVENT", "END:VCALENDAR")


def _when(at: date) -> str:
    if isinstance(at, datetime):
        return f":{_moment(at)}"
    return f";VALUE=DATE:{at:%Y%m%d}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    return value.replace("\r\n", "\n").replace("\r", "\n").translate(_TEXT)


def _person(mailbox: Mailbox) -> str:
    # A parameter's value cannot hold a quote (RFC 5545, 3.2).
    name = mailbox.display_name.replace('"', "'")
    common_name = f';CN="{name}"' if name else ""
    return f"{common_name}:mailto:{mailbox.address.wire}"


def _folded(line: str) -> str:
    """Cut at 75 octets, never within a character (RFC 5545, 3.1)."""
    parts, part, size = [], "", 0
    for character in line:
        octets = len(character.encode())
        if size + octets > _LINE:
            parts.append(part)
            # The space that a continuation begins with counts.
            part, size = "", 1
        part += character
        size += octets
    return "\r\n ".join([*parts, part])
