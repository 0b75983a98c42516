"""Characters that no font has: typst draws a box for each, and says nothing.

It does say so of an archival PDF (PDF/A), so a letter with characters that are new is exported as
one, too, and thrown away. What is in most letters was in an earlier one: few are looked at twice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator

_BOX = re.compile(r'the text `"(.+?)"` could not be displayed')
_ESCAPE = re.compile(r"\\u\{([0-9a-f]+)\}")


class MissingGlyphs:
    """What one template, in one process, has shown so far."""

    def __init__(self) -> None:
        self._shown: set[str] = set()
        self._boxes: dict[str, None] = {}
        #: Those of the template itself: they are in every letter.
        self._own: dict[str, None] = {}

    def remark(self, text: str, archival_complaint: Callable[[], str]) -> str:
        """A sentence where the letter of the row `text` shows boxes; else "".

        `archival_complaint` gives what typst says of the letter as an archival PDF.
        """
        unknown = set(text) - self._shown
        if any(character not in self._boxes for character in unknown):
            found = dict.fromkeys(_boxes(archival_complaint()))
            self._boxes |= found
            self._own |= dict.fromkeys(box for box in found if box not in text)
            self._shown |= unknown - set("".join(found))
        shown = [*(box for box in self._boxes if box in text), *self._own]
        if not shown:
            return ""
        return (
            "the PDF shows boxes for characters that are in no font here "
            f"(`{shown[0]}`, for one): install a font that has them"
        )


def _boxes(complaint: str) -> Iterator[str]:
    """The texts it is about, but what joins others and is never seen itself (emoji have it)."""
    for quoted in _BOX.findall(complaint):
        text = _ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), quoted)
        if any(unicodedata.category(character) != "Cf" for character in text):
            yield text
