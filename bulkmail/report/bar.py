"""Progress on a terminal: a bar, the figures under it, and what the run waits for."""

from __future__ import annotations

from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulkmail.clock import Clock
from bulkmail.fate import Attempt, Counts, Delivery
from bulkmail.report.tally import Tally
from bulkmail.report.terminal import visible
from bulkmail.report.wording import local_time, number

#: Redraws a second: smooth to the eye, and nothing to the processor.
_REDRAWS = 4
_BAR_WIDTH = 30


class BarDisplay:
    """Watches a run and redraws a few lines on `out`; they are gone when it ends."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._console = Console(file=out, highlight=False, emoji=False, soft_wrap=True)
        self._clock = clock
        self._live: Live | None = None
        self._checked: tuple[int, int | None] | None = None
        self._tally: Tally | None = None
        self._wait = ""
        self._until: float | None = None
        #: Servers that are not usable: name to sentence.
        self._down: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *problem: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def announce(self, sentence: str) -> None:
        """Write the sentence above the bar."""
        self._console.print(Text(visible(sentence)))

    def checking(self, done: int, total: int | None) -> None:
        """Show how far the check is."""
        self._checked = (done, total)
        self._show()

    def begin(self, campaign: str, counts: Counts, limit: int) -> None:
        """Show the bar of this run."""
        self._checked = None
        self._tally = Tally(campaign, counts, limit, self._clock)
        self._show()

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Count; the next redraw shows it."""
        if self._tally is not None:
            self._tally.add(delivery, attempt)

    def waiting(self, sentence: str, until: float | None) -> None:
        """Show what the run waits for, until it is told that it does not."""
        self._wait, self._until = sentence, until

    def server_changed(self, server: str, sentence: str) -> None:
        """Show a server's trouble until it is over."""
        if sentence:
            self._down[server] = sentence
        else:
            self._down.pop(server, None)

    def _show(self) -> None:
        if self._live is None:
            self._live = Live(
                console=self._console,
                get_renderable=self.render,
                refresh_per_second=_REDRAWS,
                transient=True,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()

    def render(self) -> RenderableType:
        """What stands on the screen right now."""
        if self._checked is not None:
            return self._render_check(*self._checked)
        if self._tally is None:
            return Text("")
        lines = [self._render_bar(self._tally), self._line(*self._figures(self._tally))]
        if trouble := self._trouble():
            lines.append(self._line(trouble))
        return Group(*lines)

    def _render_check(self, done: int, total: int | None) -> RenderableType:
        figures = number(done) if total is None else f"{number(done)} / {number(total)}"
        return _row(Text("checking"), _bar(done, total), Text(figures))

    def _render_bar(self, tally: Tally) -> RenderableType:
        share = f"{tally.done / tally.limit:.1%}" if tally.limit else ""
        return _row(
            Text(visible(tally.campaign)),
            _bar(tally.done, tally.limit),
            Text(f"{number(tally.done)} / {number(tally.limit)}"),
            Text(share),
            Text(tally.pace()),
        )

    @staticmethod
    def _figures(tally: Tally) -> list[str]:
        return [figure for figure in (*tally.states(), tally.to_go()) if figure]

    def _trouble(self) -> str:
        wait = ""
        if self._wait:
            wait = f"waiting: {self._wait}"
        if self._wait and self._until is not None:
            wait += f" until {local_time(self._until, self._clock.time())}"
        down = [f"{server}: {sentence}" for server, sentence in list(self._down.items())]
        return " · ".join(part for part in (wait, *down) if part)

    @staticmethod
    def _line(*parts: str) -> Text:
        return Text("  " + visible("   ".join(parts)), overflow="ellipsis", no_wrap=True)


def _bar(done: int, total: int | None) -> ProgressBar:
    return ProgressBar(total=total, completed=done, width=_BAR_WIDTH, pulse=total is None)


def _row(*cells: RenderableType) -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for _ in cells:
        grid.add_column(no_wrap=True)
    grid.add_row(*cells)
    return grid
