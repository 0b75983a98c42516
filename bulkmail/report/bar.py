"""Progress on a terminal: a bar, the figures under it, and what the run waits for."""

from __future__ import annotations

from typing import Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bulkmail.clock import Clock
from bulkmail.fate import Attempt, Counts, Delivery, State, state_before
from bulkmail.report.least_time import Limits
from bulkmail.report.tally import Tally
from bulkmail.report.terminal import visible
from bulkmail.report.wording import number, wait_sentence

#: Redraws a second: smooth to the eye, and nothing to the processor.
_REDRAWS = 4
_BAR_WIDTH = 30
#: Columns between two cells.
_GAP = 2
#: What a narrow terminal leaves of the bar at least, and of the campaign's name at most.
_LEAST_BAR_WIDTH = 4
_NAME_SHARE = 0.3
#: Columns left free at the right, where a terminal writes ``^C``: in a full line that would begin
#: a new one, and the next redraw would leave the old bar standing.
_MARGIN = 4


def _columns(cells: list[Text]) -> int:
    """What cells behind others take."""
    return sum(cell.cell_len + _GAP for cell in cells)


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

    def begin(self, campaign: str, counts: Counts, limit: int, limits: Limits = ()) -> None:
        """Show the bar of this run."""
        self._checked = None
        self._tally = Tally(campaign, counts, limit, self._clock, limits)
        self._show()

    def attempted(self, delivery: Delivery, attempt: Attempt) -> None:
        """Count; the next redraw shows it."""
        self.counted(state_before(delivery), attempt.state, 1)

    def counted(self, before: State, after: State, times: int) -> None:
        """The same for so many tries."""
        if self._tally is not None:
            self._tally.move(before, after, times)

    def waiting(self, sentence: str, until: float | None) -> None:
        """Show what the run waits for, until it is told that it does not."""
        self._wait, self._until = sentence, until
        if self._tally is not None and sentence:
            self._tally.rest(until)
        elif self._tally is not None:
            self._tally.go_on()

    def server_changed(self, server: str, sentence: str) -> None:
        """Show a server's trouble until it is over."""
        if sentence:
            self._down[server] = sentence
        else:
            self._down.pop(server, None)

    def has_told(self, trouble: str) -> bool:
        """The bar is gone when it ends, and what it told with it."""
        del trouble
        return False

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
        if self._tally is None or not self._tally.limit:
            return Text("")  # nothing to do has no bar
        lines = [self._render_bar(self._tally), self._line(*self._figures(self._tally))]
        if trouble := self._trouble():
            lines.append(self._line(trouble))
        return Constrain(Group(*lines), self._width)

    def _render_check(self, done: int, total: int | None) -> RenderableType:
        if total is None:
            return self._row("reading", done, None, number(done))
        return self._row("checking", done, total, f"{number(done)} / {number(total)}")

    def _render_bar(self, tally: Tally) -> RenderableType:
        figures = f"{number(tally.done)} / {number(tally.limit)}"
        share = f"{tally.done / tally.limit:.1%}"
        return self._row(tally.campaign, tally.done, tally.limit, figures, share, tally.pace())

    @property
    def _width(self) -> int:
        return max(1, self._console.width - _MARGIN)

    def _row(self, name: str, done: int, total: int | None, *figures: str) -> RenderableType:
        """One line: a name, a bar in what is left of the width, and figures."""
        label = Text(visible(name))
        label.truncate(max(1, int(self._width * _NAME_SHARE)), overflow="ellipsis")
        cells = [Text(figure) for figure in figures if figure]
        least = label.cell_len + _GAP + _LEAST_BAR_WIDTH
        # A figure that is cut off tells nothing: the last ones go whole.
        while len(cells) > 1 and least + _columns(cells) > self._width:
            cells.pop()
        taken = label.cell_len + _columns(cells) + _GAP
        width = max(_LEAST_BAR_WIDTH, min(_BAR_WIDTH, self._width - taken))
        bar = ProgressBar(total=total, completed=done, width=width, pulse=total is None)
        grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
        for _ in (label, bar, *cells):
            grid.add_column(no_wrap=True)
        grid.add_row(label, bar, *cells)
        return grid

    @staticmethod
    def _figures(tally: Tally) -> list[str]:
        return [figure for figure in (*tally.states(), tally.to_go()) if figure]

    def _trouble(self) -> str:
        wait = wait_sentence(self._wait, self._until, self._clock.time()) if self._wait else ""
        down = [f"{server}: {sentence}" for server, sentence in list(self._down.items())]
        return " · ".join(part for part in (wait, *down) if part)

    def _line(self, *parts: str) -> Text:
        line = Text("  " + visible("   ".join(parts)), overflow="ellipsis", no_wrap=True)
        if line.cell_len > self._width:
            line.plain = "  " + visible("  ".join(parts))
        return line
