from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from support.watching import HandClock, attempt, delivery

from bulkmail.campaign.units import Rate
from bulkmail.fate import Counts, State
from bulkmail.report.bar import BarDisplay


def drawn(bar: BarDisplay, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as capture:
        console.print(bar.render())
    return capture.get()


def test_the_bar_says_how_far_the_run_is() -> None:
    clock = HandClock()
    with BarDisplay(io.StringIO(), clock) as bar:
        bar.begin("offer-letter", Counts(pending=2000), 2000)
        for state in (State.SENT, State.SENT, State.FAILED, State.DEFERRED):
            clock.now += 1
            bar.attempted(delivery(), attempt(state))
        text = drawn(bar)

    assert "offer-letter" in text
    assert "3 / 2,000" in text
    assert "0.1%" in text or "0.2%" in text
    assert "sent 2   deferred 1   failed 1   about" in text
    assert "waiting" not in text


def test_the_bar_says_what_it_waits_for_and_which_server_is_down() -> None:
    clock = HandClock()
    with BarDisplay(io.StringIO(), clock) as bar:
        bar.begin("c", Counts(pending=1), 1)
        bar.waiting("gmail.com 12, greylisted", clock.now + 5)
        bar.server_changed("primary", "unreachable")
        text = drawn(bar)
        bar.waiting("", None)
        bar.server_changed("primary", "")
        later = drawn(bar)

    assert "waiting until " in text
    assert "(gmail.com 12, greylisted)" in text
    assert "primary: unreachable" in text
    assert "waiting" not in later
    assert "primary" not in later


def test_a_check_has_its_bar() -> None:
    with BarDisplay(io.StringIO(), HandClock()) as bar:
        bar.checking(12_000, 50_000)
        known = drawn(bar)
        bar.checking(12_000, None)
        unknown = drawn(bar)

    assert "12,000 / 50,000" in known
    assert "12,000" in unknown


def test_other_peoples_text_is_neither_markup_nor_control() -> None:
    with BarDisplay(io.StringIO(), HandClock()) as bar:
        bar.begin("[bold]c[/bold]\x1b[2J", Counts(pending=1), 1)
        bar.server_changed("primary", "[red]no[/red]\x07")
        text = drawn(bar)

    assert r"[bold]c[/bold]\x1b[2J" in text
    assert r"[red]no[/red]\x07" in text


def test_before_anything_is_known_nothing_is_drawn() -> None:
    assert drawn(BarDisplay(io.StringIO(), HandClock())).strip() == ""


def test_a_run_with_nobody_before_it_has_no_bar() -> None:
    with BarDisplay(io.StringIO(), HandClock()) as bar:
        bar.begin("c", Counts(sent=3), 0)
        text = drawn(bar)

    assert text.strip() == ""


@pytest.mark.parametrize("columns", [40, 60, 100])
def test_a_narrow_terminal_shows_all_figures_and_room_for_an_interrupt(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    clock = HandClock()
    with BarDisplay(io.StringIO(), clock) as bar:
        bar.begin("录用通知书-2026-with-a-name-that-is-very-long", Counts(pending=2000), 2000)
        clock.now += 1
        bar.attempted(delivery(), attempt())
        bar.waiting("acct: the quota 200/day is spent", clock.now + 5)
        lines = drawn(bar, columns).splitlines()

    assert "1 / 2,000" in lines[0]
    assert "0.1%" in lines[0] or "0.0%" in lines[0]
    assert len(lines) == 3
    assert all(cell_len(line.rstrip()) <= columns - 4 for line in lines)


@pytest.mark.parametrize("columns", [32, 40, 48, 60])
def test_figures_in_a_narrow_terminal_are_whole_or_not_there(
    columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    clock = HandClock()
    with BarDisplay(io.StringIO(), clock) as bar:
        bar.begin("录用通知书名字很长很长很长", Counts(pending=62), 62)
        for _ in range(32):
            clock.now += 0.1
            bar.attempted(delivery(), attempt())
        first, *_ = drawn(bar, columns).splitlines()

    assert "32 / 62" in first
    behind = first.partition("32 / 62")[2].split()
    assert behind == ["51.6%", "10.0/s"][: len(behind)]


def test_a_narrow_terminal_has_room_for_a_long_time_to_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    clock = HandClock()
    with BarDisplay(io.StringIO(), clock) as bar:
        bar.begin("c", Counts(pending=60), 60, [[Rate(30, 86_400)]])
        clock.now += 1
        bar.attempted(delivery(), attempt())

        assert "about 23 h 59 min to go" in drawn(bar, 60)
