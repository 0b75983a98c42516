"""SIGINT and SIGTERM: the first ends a run gracefully, the second cuts it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator

from bulkmail.app.watch import Watch
from bulkmail.delivery.control import Control

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Turns signals into a stop, and then into a cancellation of the task that runs."""

    def __init__(self, control: Control, watch: Watch) -> None:
        self._control = control
        self._watch = watch
        self._task = asyncio.current_task()
        #: Whether a second signal came: the cancellation is ours and ends here.
        self.has_cut = False

    def _signalled(self) -> None:
        if not self._control.is_stopping:
            self._watch.announce("Finishing the messages that are on their way …")
            self._control.stop()
        elif not self.has_cut and self._task is not None:
            self.has_cut = True
            self._task.cancel()

    @contextlib.contextmanager
    def installed(self) -> Iterator[Interrupts]:
        """Answer the signals inside; needs the main thread's event loop."""
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._signalled)
        try:
            yield self
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
