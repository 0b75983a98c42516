"""Slips of the hand that libyaml notices a line or more too late, each where it was made.

A line that is no key to YAML is text, and text goes on over the next line: only the `: ` in that
one is in libyaml's way.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from bulkmail.campaign.document import Place
from bulkmail.campaign.text_file import Line, text_lines

_WIDE_SPACES = "\u00a0\u3000"
_KEY = r"(?:- +)?[A-Za-z_][\w-]*"
_SLIPS = (
    (
        re.compile(rf" *[{_WIDE_SPACES}]"),
        "a wide or no-break space, which does not indent; indent by plain spaces",
    ),
    (
        re.compile(rf"\s*{_KEY}\uff1a"),
        "a key needs a colon and a space behind it, and this colon is a wide one",
    ),
    (re.compile(rf"\s*{_KEY}:(?=[^\s:/])"), "a key needs a colon and a space behind it"),
    (re.compile(r"\s*-(?=[^\s-])"), "an entry of a list needs a space behind its `-`"),
)
_WITH_VALUE = re.compile(r"\s*(?:- +)?[^\s:][^:]*:\s+[^\s#]")
_END_OF_KEY = re.compile(r":(?=\s|$)")
#: A quote that begins a value and does not end in its line.
_OPEN_QUOTE = re.compile(r'(?:^\s*|[:-]\s+|[,\[{]\s*)"(?:[^"\\]|\\.)*$')

#: From 1: the line and the column; the sentence.
Slip = tuple[int, int, str]


def slip_before(path: Path, encoding: str, place: Place, problem: str) -> Slip | None:
    """The slip behind a problem that libyaml has at that place; None where none is to be seen."""
    look = next((look for words, look in _LOOKS.items() if words in problem), None)
    if look is None:
        return None
    matters, slip = look
    lines = islice(text_lines(path, encoding), place.line)
    # The last line, and of those above it the nearest that matters: the file may be long.
    last = deque((line for line in lines if line.number == place.line or matters(line.text)), 2)
    return slip(last[0], last[-1], place.column) if last else None


def _key_that_is_none(above: Line, last: Line, column: int) -> Slip | None:
    key = _END_OF_KEY.search(last.text)
    if key is None or key.end() != column:
        return None  # It is a colon in a value.
    for line in (above, last):
        for slip, sentence in _SLIPS:
            if found := slip.match(line.text):
                return line.number, found.end(), sentence
    indents = [len(line.text) - len(line.text.lstrip(" ")) for line in (above, last)]
    if indents[0] < indents[1] and _WITH_VALUE.match(above.text):
        sentence = f"indented further than line {above.number}, whose value is complete"
        return last.number, indents[1] + 1, sentence
    return None


def _open_quote(above: Line, last: Line, _: int) -> Slip | None:
    """The line whose last quote is closed by the first one of the last line."""
    is_open = above.text.replace('\\"', "").count('"') % 2
    if above is last or '"' not in last.text or not (is_open and _OPEN_QUOTE.search(above.text)):
        return None
    sentence = f"a quote is opened here, and closed by the next one, in line {last.number}"
    return above.number, above.text.rindex('"') + 1, sentence


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _has_quote(line: str) -> bool:
    return '"' in line and _counts(line)


_LOOKS: dict[str, tuple[Callable[[str], bool], Callable[[Line, Line, int], Slip | None]]] = {
    "mapping values are not allowed": (_counts, _key_that_is_none),
    "did not find expected key": (_has_quote, _open_quote),
}
