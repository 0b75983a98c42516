"""Slips of the hand that libyaml notices a line or more too late, each where it was made.

A line that is no key to YAML is text, and text goes on over the next line: only the `: ` in that
one is in libyaml's way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from bulkmail.campaign.text_file import text_lines

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

#: From 1: the line and the column; the sentence.
Slip = tuple[int, int, str]


def slip_before(path: Path, encoding: str, line: int, problem: str) -> Slip | None:
    """The slip behind a problem that libyaml has with that line; None where none is to be seen."""
    look = next((look for words, look in _LOOKS.items() if words in problem), None)
    lines = islice(text_lines(path, encoding), line if look else 0)
    return look([read.text for read in lines]) if look else None


def _key_that_is_none(lines: Sequence[str]) -> Slip | None:
    last = len(lines)
    above = next((number for number in range(last - 1, 0, -1) if _counts(lines[number - 1])), last)
    for number in (above, last):
        for slip, sentence in _SLIPS:
            if found := slip.match(lines[number - 1]):
                return number, found.end(), sentence
    indents = [len(line) - len(line.lstrip(" ")) for line in (lines[above - 1], lines[-1])]
    if indents[0] < indents[1] and _WITH_VALUE.match(lines[above - 1]):
        return last, indents[1] + 1, f"indented further than line {above}, whose value is complete"
    return None


def _open_quote(lines: Sequence[str]) -> Slip | None:
    """The first line whose last quote is closed by one of the last line."""
    last = len(lines)
    if '"' not in lines[-1]:
        return None
    for number, line in enumerate(lines[:-1], 1):
        if line.count('"') % 2 and _counts(line):
            sentence = f"a quote is opened here, and closed by the next one, in line {last}"
            return number, line.rindex('"') + 1, sentence
    return None


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


_LOOKS = {
    "mapping values are not allowed": _key_that_is_none,
    "did not find expected key": _open_quote,
}
