"""`run --once`: what is due now, once, and what is written down of it."""

from __future__ import annotations

import pytest
from support.mail_project import PEOPLE, MailProject
from support.scheduling import Timekeeper
from support.scripted_server import CUT, greylist, on, scripted

HOUR = 3600


@pytest.fixture
def keeper(project: MailProject) -> Timekeeper:
    return Timekeeper(project)


def hours_around(keeper: Timekeeper, begin: int, end: int) -> dict[str, str]:
    """A window in UTC from so many minutes from now to so many."""
    ends = (f"{keeper.moment(60 * minutes):%H:%M}" for minutes in (begin, end))
    return {"window": "-".join(ends), "timezone": "UTC"}


async def test_a_campaign_without_a_schedule_is_left_alone(
    project: MailProject, keeper: Timekeeper, unasked: int
) -> None:
    project.servers({"host": "127.0.0.1", "port": unasked, "security": "none"})
    project.save(schedule={"window": "00:00-24:00"})

    assert await keeper.once() == 0


async def test_what_was_due_is_sent_once_and_what_is_not_yet_due_is_not(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"at": keeper.at(HOUR)})

        early = await keeper.once()
        sent_early = dict(server.got)
        keeper.clock.skip(2 * HOUR)
        codes = [await keeper.once(), await keeper.once()]

    assert (early, sent_early, codes) == (0, {}, [0, 0])
    assert server.got == dict.fromkeys(PEOPLE, 1)
    (line,) = keeper.history()
    assert (line["campaign"], line["missed"], line["outcome"]) == ("letter", 0, "done")


async def test_the_first_occurrence_is_after_the_campaign_was_seen_and_missed_ones_are_one(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"every": "1h"})

        assert await keeper.once() == 0
        assert not server.got
        keeper.clock.skip(5 * HOUR)
        assert await keeper.once() == 0
        assert server.got == dict.fromkeys(PEOPLE, 1)
        keeper.clock.skip(HOUR)
        assert await keeper.once() == 0

    assert server.got == dict.fromkeys(PEOPLE, 2)
    first, second = keeper.history()
    last_hour = f"{keeper.moment(-HOUR):%Y%m%dT%H}0000Z"
    assert (first["campaign"], first["missed"]) == (f"letter@{last_hour}", 4)
    assert (second["missed"], second["outcome"]) == (0, "done")
    assert set(await project.states(first["campaign"])) == set(PEOPLE)


async def test_a_clock_that_was_a_year_ahead_does_not_hold_up_what_is_due_before(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"every": "1h"})
        year = 365 * 24 * HOUR

        keeper.clock.skip(year)
        assert await keeper.once() == 0  # seen for the first time
        keeper.clock.skip(HOUR)
        assert await keeper.once() == 0
        assert server.got == dict.fromkeys(PEOPLE, 1)
        keeper.clock.skip(-year)
        assert await keeper.once() == 0
        assert server.got == dict.fromkeys(PEOPLE, 1)
        keeper.clock.skip(HOUR)
        assert await keeper.once() == 0
        assert server.got == dict.fromkeys(PEOPLE, 2)
        # By an hour alone: what was begun then is not begun again.
        keeper.clock.skip(-HOUR)
        assert await keeper.once() == 0
        keeper.clock.skip(HOUR / 2)
        assert await keeper.once() == 0

    assert server.got == dict.fromkeys(PEOPLE, 2)


async def test_what_is_too_late_is_suppressed_with_that_reason(
    project: MailProject, keeper: Timekeeper, unasked: int
) -> None:
    project.servers({"host": "127.0.0.1", "port": unasked, "security": "none"})
    project.save(schedule={"at": keeper.at(-3 * HOUR), "misfire": "skip", "grace": "2h"})

    code = await keeper.once()

    rows = await project.report()
    assert code == 0
    assert {str(row["state"]) for row in rows.values()} == {"suppressed"}
    assert all("too late" in row["reason"] for row in rows.values())
    assert keeper.history()[0]["outcome"] == "too late"


async def test_what_was_too_late_is_sent_at_another_time(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        schedule = {"misfire": "skip", "grace": "2h"}
        project.save(schedule={"at": keeper.at(-3 * HOUR), **schedule})
        await keeper.once()
        project.save(schedule={"at": keeper.at(-HOUR), **schedule})

        code = await keeper.once()

    assert code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert [line["outcome"] for line in keeper.history()] == ["too late", "done"]


async def test_who_is_in_doubt_is_sent_to_again_by_a_later_run(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted(on("dot", CUT, times=1)) as server:
        project.servers(server.url(connections=1))
        project.save(schedule={"at": keeper.at(-HOUR)}, retry={"backoff": "1h"})

        first = await keeper.once()
        keeper.clock.skip(2 * HOUR)
        second = await keeper.once()

    assert (first, second) == (75, 0)
    assert set((await project.states()).values()) == {"sent"}
    assert [line["outcome"] for line in keeper.history()] == ["done"]


async def test_what_is_within_its_grace_is_sent(project: MailProject, keeper: Timekeeper) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"at": keeper.at(-HOUR), "misfire": "skip", "grace": "2h"})

        assert await keeper.once() == 0

    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_file_with_an_error_is_reported_and_the_others_go_on(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"at": keeper.at(-HOUR)})
        project.write("campaigns/broken.yaml", "from: me\nschedule: {at: soon}\n")

        code = await keeper.once()

    assert code == 2
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert any("broken.yaml:2:" in fault for fault in keeper.heard.faults)


@pytest.mark.parametrize("key", ["schedul: {at: 2026-12-01}", "subjcet: of no time at all"])
async def test_an_error_is_reported_where_no_schedule_can_be_told(
    project: MailProject, keeper: Timekeeper, key: str
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"at": keeper.at(-HOUR)})
        draft = {"from": "me@example.com", "subject": "s", "recipients": "list.csv"}
        lines = [f"{name}: {value}\n" for name, value in draft.items()]
        project.write("campaigns/draft.yaml", "".join(lines) + f"text: letter.txt.j2\n{key}\n")

        codes = [await keeper.once(), await keeper.once()]
        told = keeper.heard.faults

    assert codes == [2, 2]
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert len(told) == 1
    assert "draft.yaml:5:1" in told[0]


async def test_a_list_of_recipients_beside_the_campaign_is_none_itself(
    project: MailProject, keeper: Timekeeper
) -> None:
    people = "".join(f"- email: {person}\n  name: X\n" for person in PEOPLE)
    project.write("campaigns/people.yaml", f"# Who works here.\n---\n{people}")
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"at": keeper.at(-HOUR)}, recipients="people.yaml")

        code = await keeper.once()

    assert (code, keeper.heard.faults) == (0, [])
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_two_files_of_one_name_do_not_both_go_out(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        text = project.save(schedule={"at": keeper.at(-HOUR)}).read_text("utf-8")
        project.write("campaigns/other.yaml", f"name: letter\n{text}")

        code = await keeper.once()

    assert code == 2
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_shut_window_is_75_and_is_waited_for(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"at": keeper.at(-HOUR), **hours_around(keeper, 120, 240)})

        shut = await keeper.once()
        sent_early = dict(server.got)
        keeper.clock.skip(3 * HOUR)
        opened = await keeper.once()

    assert (shut, sent_early, opened) == (75, {}, 0)
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_an_occurrence_reads_its_list_when_its_window_opens(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.save(schedule={"every": "30m", **hours_around(keeper, 120, 240)})

        await keeper.once()
        keeper.clock.skip(HOUR)
        shut = await keeper.once()
        project.people([*PEOPLE, "late@example.com"])
        keeper.clock.skip(2 * HOUR)
        opened = await keeper.once()

    assert (shut, opened) == (75, 0)
    assert server.got == dict.fromkeys([*PEOPLE, "late@example.com"], 1)
    assert len(keeper.history()) == 1


async def test_an_occurrence_with_nobody_to_send_to_leaves_a_line_of_history(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people([])
        project.save(schedule={"every": "1h"})
        await keeper.once()
        keeper.clock.skip(HOUR)

        code = await keeper.once()

    assert (code, server.commands) == (0, [])
    assert [line["outcome"] for line in keeper.history()] == ["nobody"]
    assert project.sql("SELECT count(*) FROM campaign") == [(0,)]


async def test_an_occurrence_of_which_only_deferred_are_left_lets_the_next_one_start(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted(greylist(1)) as server:
        project.servers(server.url())
        project.save(schedule={"every": "1h"}, retry={"backoff": "3h", "max_backoff": "3h"})
        await keeper.once()
        keeper.clock.skip(HOUR)
        first = await keeper.once()
        keeper.clock.skip(HOUR)
        second = await keeper.once()
        keeper.clock.skip(5 * HOUR)
        third = await keeper.once()

    assert (first, second) == (75, 75)
    # The third is begun by then, and the first goes on: each address was put off once.
    assert third == 0
    assert [line["outcome"] for line in keeper.history()] == ["done"] * 3
    assert server.got == dict.fromkeys(PEOPLE, 3)


async def test_rows_that_are_wrong_are_told_and_sent_once_they_are_mended(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people([*PEOPLE, "no address"])
        project.save(schedule={"at": keeper.at(-HOUR)})

        wrong = await keeper.once()
        project.people(PEOPLE)
        mended = await keeper.once()

    assert (wrong, mended) == (2, 0)
    assert server.got == dict.fromkeys(PEOPLE, 1)


async def test_a_faulty_occurrence_is_run_as_one_with_the_next(
    project: MailProject, keeper: Timekeeper
) -> None:
    async with scripted() as server:
        project.servers(server.url())
        project.people(["no address"])
        project.save(schedule={"every": "1h"})
        await keeper.once()
        keeper.clock.skip(HOUR)
        wrong = await keeper.once()
        project.people(PEOPLE)
        keeper.clock.skip(HOUR)
        mended = await keeper.once()

    assert (wrong, mended) == (2, 0)
    assert server.got == dict.fromkeys(PEOPLE, 1)
    assert [(line["outcome"], line["missed"]) for line in keeper.history()] == [
        ("superseded", 0),
        ("done", 1),
    ]


async def test_until_makes_the_rest_too_late(project: MailProject, keeper: Timekeeper) -> None:
    async with scripted(greylist(1)) as server:
        project.servers(server.url())
        project.save(
            schedule={"at": keeper.at(-HOUR), "until": keeper.at(HOUR)}, retry={"backoff": "30m"}
        )
        first = await keeper.once()
        keeper.clock.skip(2 * HOUR)
        second = await keeper.once()

    rows = await project.report()
    assert (first, second) == (75, 0)
    assert not server.got
    assert {str(row["state"]) for row in rows.values()} == {"suppressed"}
    assert all("until" in row["reason"] for row in rows.values())


async def test_an_occurrence_s_list_is_read_once(project: MailProject, keeper: Timekeeper) -> None:
    async with scripted(greylist(1)) as server:
        project.servers(server.url())
        project.save(schedule={"every": "10h"}, retry={"backoff": "1m"})
        await keeper.once()
        keeper.clock.skip(10 * HOUR)
        await keeper.once()
        project.people([*PEOPLE, "late@example.com"])
        keeper.clock.skip(HOUR)
        code = await keeper.once()

    assert code == 0
    assert server.got == dict.fromkeys(PEOPLE, 1)
