"""SIGINT and SIGTERM: the first ends a run gracefully, the second cuts it.

SIGHUP, when a terminal is closed, ends it gracefully as well. It cuts nothing, as it comes more
than once: from the kernel and from the shell. Who started it by nohup wants it to go on.

Before a run has begun there is nothing to end gracefully: the first signal cuts. After it there is
nothing to interrupt any more, and how it ended is told in peace.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from bulkmail.app.watch import Watch
from bulkmail.delivery.control import Control
from bulkmail.delivery.ending import Ending, RunResult
from bulkmail.errors import Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Turns signals into a stop, and then into a cancellation."""

    def __init__(self, control: Control, watch: Watch) -> None:
        self._control = control
        self._watch = watch
        self._command: asyncio.Task[Any] | None = None
        self._run: asyncio.Task[RunResult] | None = None
        self._has_cut = False
        self._is_over = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Answer the signals inside; needs the main thread's event loop.

        Raises `Interrupted` in place of the cancellation that a signal caused.
        """
        answers = dict.fromkeys(SIGNALS, self.signalled)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            answers[signal.SIGHUP] = self.hung_up
        with answered(answers), self.attended():
            yield

    @contextlib.contextmanager
    def attended(self) -> Iterator[None]:
        """Be what the current task ends by when `signalled` is called inside.

        Raises `Interrupted` in place of the cancellation that this caused.
        """
        self._command = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            if not self._has_cut:
                raise
            raise Interrupted("Interrupted. Nothing was sent.") from None

    async def cuttable(self, run: Coroutine[Any, Any, RunResult]) -> RunResult:
        """Await a run that the first signal stops and the second one cuts."""
        self._run = asyncio.create_task(run)
        try:
            return await self._run
        except asyncio.CancelledError:
            if self._has_cut and self._run.cancelled():
                return RunResult(ending=Ending.INTERRUPTED)
            self._run.cancel()
            await asyncio.wait([self._run])
            raise
        finally:
            self._run = None
            self._is_over = True

    def signalled(self) -> None:
        """Somebody wants it to end: the first time gracefully, the second time at once."""
        if self._is_over:
            return
        if self._run is None:
            self._has_cut = True
            if self._command is not None:
                self._command.cancel()
        elif not self._control.is_stopping:
            self._watch.announce("Finishing the messages that are on their way …")
            self._control.stop()
        else:
            self._has_cut = True
            self._run.cancel()

    def hung_up(self) -> None:
        """Its terminal was closed: end it gracefully, unless it ends already."""
        if self._run is None or not self._control.is_stopping:
            self.signalled()


@contextlib.contextmanager
def answered(answers: Mapping[signal.Signals, Callable[[], None]]) -> Iterator[None]:
    """Answer these signals inside; needs the main thread's event loop."""
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in answers}
    for number, answer in answers.items():
        loop.add_signal_handler(number, answer)
    try:
        yield
    finally:
        _restore(loop, before)


def _restore(loop: asyncio.AbstractEventLoop, before: Mapping[signal.Signals, Any]) -> None:
    """Put the handlers back, with no instant between in which a signal kills the process."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, before)
    try:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            # None: one that was not set from Python, and cannot be set from here.
            if handler is not None:
                signal.signal(number, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
