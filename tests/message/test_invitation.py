"""`ics:` is an invitation that calendars show, at the right time."""

from email.message import MIMEPart
from typing import Any

import pytest
from message.sample_project import INSTANT, Project, delivery

ATTENDEE = "ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE"
BERLIN = {"timezone": "Europe/Berlin"}


def unfolded(part: MIMEPart) -> list[str]:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    return content.decode().replace("\r\n ", "").split("\r\n")


async def event(project: Project, fields: dict[str, Any] | None = None, **ics: Any) -> list[str]:
    mail = await project.compose(fields, attachments=[{"ics": ics}])
    (part,) = project.parsed(mail).iter_attachments()
    return unfolded(part)


async def test_an_invitation_is_an_alternative_and_a_file(project: Project) -> None:
    project.template("a.html", "<p>Come!</p>")

    mail = await project.compose(
        {"name": "李伟", "room": "A; 1, left\\right"},
        html="a.html",
        attachments=[
            {
                "ics": {
                    "start": "2026-12-01T09:00",
                    "end": "2026-12-01T09:45",
                    "summary": "Interview, {{ name }}",
                    "location": "{{ room }}",
                    "description": "First line\nSecond; line " + "长" * 60,
                },
                "filename": "interview.ics",
            }
        ],
    )

    alternative, file = project.parsed(mail).iter_parts()
    shown = list(alternative.iter_parts())[-1]
    assert [part.get_content_type() for part in alternative.iter_parts()] == [
        "text/plain",
        "text/html",
        "text/calendar",
    ]
    assert shown.get_param("method") == "REQUEST"
    assert shown.get_content_disposition() is None
    assert (file.get_filename(), file.get_content_type()) == ("interview.ics", "application/ics")
    assert shown.get_payload(decode=True) == file.get_payload(decode=True)
    assert unfolded(shown) == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//bulkmail//EN",
        "METHOD:REQUEST",
        "BEGIN:VEVENT",
        "UID:1.abc@example.com",
        "DTSTAMP:20261201T010000Z",
        "DTSTART:20261201T010000Z",
        "DTEND:20261201T014500Z",
        "SUMMARY:Interview\\, 李伟",
        "LOCATION:A\\; 1\\, left\\\\right",
        "DESCRIPTION:First line\\nSecond\\; line " + "长" * 60,
        'ORGANIZER;CN="People Team":mailto:people@example.com',
        ATTENDEE + ';CN="李伟":mailto:li.wei@example.com',
        "SEQUENCE:0",
        "STATUS:CONFIRMED",
        "TRANSP:OPAQUE",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


@pytest.mark.parametrize(
    ("ics", "start", "end"),
    [
        # Shanghai is the campaign's zone.
        ({"start": "2026-12-01T09:00"}, ":20261201T010000Z", ":20261201T020000Z"),
        ({"start": "2026-12-01 09:00:30", "duration": "90m"},
         ":20261201T010030Z", ":20261201T023030Z"),
        ({"start": "2026-12-01T09:00Z"}, ":20261201T090000Z", ":20261201T100000Z"),
        ({"start": "2026-12-01T09:00+05:30"}, ":20261201T033000Z", ":20261201T043000Z"),
        ({"start": "2026-07-01T09:00", **BERLIN}, ":20260701T070000Z", ":20260701T080000Z"),
        ({"start": "2026-12-01T09:00", **BERLIN}, ":20261201T080000Z", ":20261201T090000Z"),
        # The clocks go back at 03:00 that night: eight hours are eight hours.
        ({"start": "2026-10-24T22:00", "duration": "8h", **BERLIN},
         ":20261024T200000Z", ":20261025T040000Z"),
        ({"start": "2026-12-01"}, ";VALUE=DATE:20261201", ";VALUE=DATE:20261202"),
        ({"start": "2026-12-01", "duration": "3d"},
         ";VALUE=DATE:20261201", ";VALUE=DATE:20261204"),
        ({"start": "2026-12-01", "end": "2026-12-03"},
         ";VALUE=DATE:20261201", ";VALUE=DATE:20261204"),
        ({"start": "{{ day }}T{{ hour }}"}, ":20261201T063000Z", ":20261201T073000Z"),
    ],
)  # fmt: skip
async def test_the_time_is_right_in_every_zone(
    project: Project, ics: dict[str, str], start: str, end: str
) -> None:
    lines = await event(project, {"day": "2026-12-01", "hour": "14:30"}, **ics)

    assert f"DTSTART{start}" in lines
    assert f"DTEND{end}" in lines


@pytest.mark.parametrize(
    ("ics", "key", "message"),
    [
        ({"start": "soon"}, "start", "`soon` is no moment such as 2026-12-01T09:00"),
        ({"start": "2026-12-01T09:00", "end": "2026-12-01T08:00"}, "end", "the event ends before"),
        ({"start": "9999-12-31T23:30"}, "start", "is no moment such as"),
        ({"start": "0001-01-01T00:00"}, "start", "is no moment such as"),
        ({"start": "2026-12-01", "duration": "90m"}, "start", "`duration` is not in whole days"),
        ({"start": "9998-12-31", "duration": "400d"}, "start", "ends after the year 9998"),
        ({"start": "2026-12-01T09:00", "end": "2026-12-01"}, "end", "one of start and end has"),
        ({"start": "2026-12-01", "organizer": "{{ boss }}"}, "organizer", "`nobody` is not an"),
        ({"start": "2026-12-01", "location": "{{ bad }}"}, "location", "control character"),
    ],
)
async def test_an_event_that_cannot_be_is_the_rows_fault(
    project: Project, ics: dict[str, str], key: str, message: str
) -> None:
    fields = {"boss": "nobody", "bad": "x\nATTENDEE:y"}

    (fault,) = await project.faults(fields, attachments=[{"ics": ics}])

    assert fault.key == f"attachments[0].ics.{key}"
    assert message in fault.message
    assert fault.row == 1


async def test_a_name_cannot_add_a_line_or_a_parameter(project: Project) -> None:
    lines = await event(project, {"name": 'A";X="b'}, start="2026-12-01")

    assert any(";CN=\"A';X='b\":mailto:li.wei@example.com" in line for line in lines)


async def test_the_same_row_keeps_its_event(project: Project) -> None:
    composer = project.composer(attachments=[{"ics": {"start": "2026-12-01"}}])

    one, other = [project.content(await composer.compose(delivery(), INSTANT)) for _ in range(2)]

    assert one == other


async def test_a_message_has_one_invitation(project: Project) -> None:
    ics = {"ics": {"start": "2026-12-01"}}

    (fault,) = await project.faults(attachments=[ics, ics])

    assert "a second invitation" in fault.message
