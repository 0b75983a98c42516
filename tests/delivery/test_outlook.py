"""What is known of who is due, and for how long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import Any, cast

import pytest
from support.engine import Bench, FakeTransport

from bulkmail.delivery.ending import Ending
from bulkmail.delivery.ledger_port import Ledger
from bulkmail.delivery.outlook import NOBODY, Outlook
from bulkmail.fate import Delivery


class Answers:
    """A ledger that knows when the first of each group is due."""

    def __init__(self) -> None:
        self.due: dict[str, float | None] = {"": None, "corp": 90.0}
        self.asked: list[str] = []

    async def next_due_at(self, scopes: Collection[str] | None = None) -> float | None:
        (scope,) = scopes or ()
        self.asked.append(scope)
        return self.due[scope]


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def outlook(answers: Answers) -> Outlook:
    return Outlook(cast("Ledger", answers))


async def test_what_the_ledger_said_holds_for_a_moment(outlook: Outlook, answers: Answers) -> None:
    await outlook.ask(["", "corp"], 50.0)
    await outlook.ask(["", "corp"], 50.0 + NOBODY / 2)

    assert answers.asked == ["", "corp"]
    assert outlook.due_at(["", "corp"]) == 90.0
    assert outlook.is_quiet("", 50.0 + NOBODY / 2)
    assert not outlook.is_quiet("", 50.0 + NOBODY)
    assert not outlook.is_quiet("", 49.0), "the clock was set back"


async def test_whose_time_has_come_is_not_quiet(outlook: Outlook) -> None:
    await outlook.ask(["corp"], 89.5)

    assert outlook.is_quiet("corp", 89.9)
    assert not outlook.is_quiet("corp", 90.0)


async def test_who_comes_back_is_due_then_whatever_the_ledger_said(outlook: Outlook) -> None:
    await outlook.ask(["", "corp"], 50.0)

    outlook.look(50.5)

    assert outlook.due_at([""]) == outlook.due_at(["corp"]) == 50.5
    assert not outlook.is_quiet("", 50.5)


async def test_an_end_wants_answers_of_this_look(outlook: Outlook, answers: Answers) -> None:
    outlook.look(float("inf"))
    await outlook.ask([""], 50.0)
    assert outlook.is_fresh([""])

    outlook.look(float("inf"))
    await outlook.ask([""], 50.1)
    assert not outlook.is_fresh([""])

    outlook.forget()
    await outlook.ask([""], 50.2)
    assert outlook.is_fresh([""])
    assert answers.asked == ["", ""]


async def test_whoever_a_claim_left_is_asked_about_before_the_next_one(
    outlook: Outlook, answers: Answers
) -> None:
    outlook.found_all("corp")
    assert not outlook.is_quiet("corp", 50.0), "rows may have come back since"

    await outlook.ask_again(["", "corp"], 50.0)

    assert answers.asked == ["corp"]
    assert outlook.is_quiet("corp", 50.0)


async def test_what_was_said_is_asked_again_until_somebody_is_due(
    outlook: Outlook, answers: Answers
) -> None:
    outlook.found_all("corp")

    for now in (85.0, 85.5, 87.0, 90.0, 95.0):
        await outlook.ask_again(["corp"], now)

    assert answers.asked == ["corp", "corp"], "by then there is somebody to claim"


async def test_the_last_results_of_a_list_ask_for_nobody(
    bench_of: Callable[[int], Awaitable[Bench]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them would be an empty claim in a commit of its own."""
    bench = await bench_of(8)
    claim, empty = bench.run.claim, []
    began = bench.clock.time()

    async def counted(*what: Any) -> list[Delivery]:
        claimed = await claim(*what)
        empty.append(not claimed)
        return claimed

    monkeypatch.setattr(bench.run, "claim", counted)
    monkeypatch.setattr(bench.clock, "time", lambda: began)

    result = await bench.send(FakeTransport("primary"), connections=1)

    assert result.ending is Ending.DONE
    assert await bench.states() == {"sent": 8}
    # The one before it took as many as it might.
    assert sum(empty) <= 1
