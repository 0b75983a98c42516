"""Numbers in a template that say how wide something gets: none may come to more than a message has.

`{{ name | center(width) }}`, `{{ "%9d" % n }}`, `{{ "{:>9}".format(n) }}`, `{{ name.ljust(9) }}`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from string import Formatter
from typing import Any, Final

#: Wider than any line of a message, and harmless.
MAX_WIDTH: Final = 10_000

#: Filters and methods of text that take a width, or a number of columns.
WIDE_FILTERS: Final = ("batch", "center", "indent", "slice", "tojson")
WIDE_METHODS: Final = frozenset({"center", "expandtabs", "ljust", "rjust", "zfill"})

#: What `%` fills in, with its width and precision: `%5d`, `%(name)s`, `%-*.2f`, and `%%`.
_PERCENT = re.compile(r"%(?:\([^)]*\))?[-#0 +]*([0-9]*|\*)(?:\.([0-9]*|\*))?[hlL]?[A-Za-z%]")
#: What a format says of width and precision, `>9` or `.2f`.
_NUMBER = re.compile(r"[0-9]{5,}")


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
    widths = [width for found in _PERCENT.findall(text) for width in found]
    check_widths(int(width[:9]) for width in widths if width.isdecimal())
    if "*" in widths:
        if isinstance(values, Mapping):
            values = values.values()
        check_widths(values if isinstance(values, Iterable) else (values,))


def check_brace_format(text: str, values: Iterable[Any], named: Mapping[str, Any]) -> None:
    """Do so for `text.format(...)` and `text.format_map(...)`."""
    formats = [*_formats(text)]
    check_widths(int(width[:9]) for said in formats for width in _NUMBER.findall(said))
    if any("{" in said for said in formats):
        # Which of them is the width, `{:>{}}`, hangs on their order.
        values = [*values]
        mappings = (named, *(value for value in values if isinstance(value, Mapping)))
        check_widths((*values, *(value for mapping in mappings for value in mapping.values())))


def _formats(text: str) -> Iterator[str]:
    """What stands behind the colon in each of its braces; as far as they are well formed."""
    try:
        for _, _, said, _ in Formatter().parse(text):
            if said:
                yield said
    except ValueError:
        # Formatting comes no further, either.
        return
