from __future__ import annotations

import io

import pytest
from support.watching import HandClock, attempt, delivery

from bulkmail.app.watch import Watch
from bulkmail.fate import Counts, State
from bulkmail.report.bar import BarDisplay
from bulkmail.report.lines import LineDisplay
from bulkmail.report.progress import Display, display
from bulkmail.report.silence import Silence


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell_everything(watch: Watch) -> None:
    watch.announce("c → 3 recipients")
    watch.checking(1, 3)
    watch.begin("c\x1b[2J", Counts(pending=3), 3)
    watch.attempted(delivery(), attempt())
    watch.waiting("greylisted", 1_796_000_010.0)
    watch.server_changed("primary", "unreachable [red]")
    watch.attempted(delivery(), attempt(State.DEFERRED, code=450))


def test_a_terminal_gets_a_bar_that_is_gone_at_the_end() -> None:
    out = Terminal()

    with display(out, environ={"TERM": "xterm"}) as shown:
        assert isinstance(shown, BarDisplay)
        tell_everything(shown)

    assert "c → 3 recipients" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("bar", [True, False])
def test_without_a_terminal_there_are_lines(bar: bool) -> None:
    assert isinstance(display(io.StringIO(), bar=bar), LineDisplay)


def test_a_terminal_that_cannot_redraw_gets_lines() -> None:
    assert isinstance(display(Terminal(), environ={"TERM": "dumb"}), LineDisplay)


def test_no_bar_is_no_bar_on_a_terminal_too() -> None:
    assert isinstance(display(Terminal(), bar=False, environ={}), LineDisplay)


def test_quiet_is_quiet() -> None:
    out = Terminal()

    with display(out, quiet=True) as shown:
        assert isinstance(shown, Silence)
        tell_everything(shown)

    assert out.getvalue() == ""


def test_a_reader_who_left_stops_no_run() -> None:
    out = io.StringIO()
    shown: Display = display(out)
    out.close()

    with shown:
        tell_everything(shown)


def test_a_display_is_a_watch() -> None:
    watch: Watch = display(io.StringIO(), clock=HandClock())

    tell_everything(watch)
