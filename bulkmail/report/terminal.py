"""Text on its way to a screen: nothing in it may move the cursor, nothing it meets may raise.

Addresses, names and servers' replies are other people's bytes. Shown as they are they could clear
the screen, hide a line or write a false one; so what controls a terminal is shown as an escape.
"""

from __future__ import annotations

import io
import re
from typing import TextIO

#: C0 and C1 controls, DEL, the line and paragraph separators, the marks that turn the direction
#: of what follows, and halves of a surrogate pair, which no encoding can write.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""`text` on one line, with each control character written out: ``\x1b``, ``\u202e``."""
    return _CONTROLS.sub(lambda match: _escape(match[0]), text)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004  # two digits


class SteadyStream(io.TextIOBase):
    """A stream for progress: when its reader has gone, a run of thousands of letters goes on."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written; what cannot is lost, quietly."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):  # a closed pipe, a terminal hung up, a closed file
            return len(text)

    def flush(self) -> None:
        """Flush, if anybody is there."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            return

    def isatty(self) -> bool:
        """Whether a person may be looking."""
        try:
            return self._stream.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """The stream's file descriptor: the display asks it for the terminal's width."""
        return self._stream.fileno()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has it a plain attribute
        """The stream's encoding: it decides which characters a bar is drawn with."""
        return self._stream.encoding or "utf-8"
