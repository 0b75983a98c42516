"""Where to look in a JSON document: `code`, `data.id`, `messages[0].status`, `$.data["a b"]`.

The part of RFC 9535 that names one place; wildcards and filters are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_STEP = re.compile(r'\.?([^.\[\]"*?@\s]+)|\[(-?[0-9]{1,9})\]|\["([^"]*)"\]|\[\'([^\']*)\'\]')

JsonSteps = tuple[str | int, ...]


def parse_json_path(text: str) -> JsonSteps:
    """The steps of a path. Raises `ValueError` where it names no one place."""
    rest = text.strip().removeprefix("$")
    steps: list[str | int] = []
    position = 0
    while position < len(rest):
        match = _STEP.match(rest, position)
        if match is None or (position and match[1] and rest[position] != "."):
            raise ValueError(f"`{text}` is no path such as `code`, `data.id` or `messages[0].id`")
        name, index, double, single = match.groups()
        if index is not None:
            steps.append(int(index))
        else:
            steps.append(next(part for part in (name, double, single) if part is not None))
        position = match.end()
    return tuple(steps)


def look_up(document: Any, steps: JsonSteps) -> Any:
    """What stands there; None where nothing does."""
    for step in steps:
        if isinstance(step, str) and isinstance(document, Mapping):
            document = document.get(step)
        elif (
            isinstance(step, int)
            and isinstance(document, Sequence)
            and not isinstance(document, str)
            and -len(document) <= step < len(document)
        ):
            document = document[step]
        else:
            return None
    return document
