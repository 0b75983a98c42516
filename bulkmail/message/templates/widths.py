"""Numbers in a template that say how wide something gets: none may come to more than a message has.

`{{ name | center(width) }}`, `{{ "%9d" % n }}`, `{{ "{:>9}".format(n) }}`, `{{ name.ljust(9) }}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

#: Wider than any line of a message, and harmless.
MAX_WIDTH: Final = 10_000

#: Filters and methods of text that take a width, or a number of columns.
WIDE_FILTERS: Final = ("batch", "center", "indent", "slice", "tojson")
WIDE_METHODS: Final = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})

#: A width that is written, `%10000d` or `{:>10000}`; and one that is filled in, `%*d` or `{:>{}}`.
_PERCENT = re.compile(r"%[^A-Za-z%]*?([0-9]{5,})"), re.compile(r"%[^A-Za-z%]*\*")
_BRACES = re.compile(r":[^{}]*?([0-9]{5,})"), re.compile(r":[^{}]*\{")


class TooLongError(Exception):
    """A value in a template is longer than any message should be, or making it would take long."""


def check_widths(arguments: Iterable[Any]) -> int:
    """The largest number among them. Raises `TooLongError` where it is too large for a width."""
    widest = max((value for value in arguments if isinstance(value, int)), default=0)
    if widest > MAX_WIDTH:
        raise TooLongError(f"asks for a width of {widest}; {MAX_WIDTH} is the most")
    return max(widest, 0)


def check_percent_format(text: str, values: Any) -> None:
    """Do so for `text % values`."""
    if isinstance(values, Mapping):
        values = values.values()
    _check(text, values if isinstance(values, Iterable) else (values,), *_PERCENT)


def check_brace_format(text: str, values: Iterable[Any], named: Mapping[str, Any]) -> None:
    """Do so for `text.format(...)` and `text.format_map(...)`."""
    mappings = (named, *(value for value in values if isinstance(value, Mapping)))
    inside = (value for mapping in mappings for value in mapping.values())
    _check(text, (*values, *inside), *_BRACES)


def _check(
    text: str, values: Iterable[Any], written: re.Pattern[str], given: re.Pattern[str]
) -> None:
    check_widths(int(digits[:9]) for digits in written.findall(text))
    if given.search(text):
        check_widths(values)
