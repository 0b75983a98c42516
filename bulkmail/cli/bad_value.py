"""What is wrong with an option's value, in plain words: a library's own are not for a user."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import typer

from bulkmail.report.terminal import visible

#: By the type of pydantic's error.
_SENTENCES = {
    "greater_than_equal": "{input} is too small: {ge} is the least",
    "less_than_equal": "{input} is too large: {le} is the most",
    "int_parsing": "`{input}` is not a whole number",
    "int_parsing_size": "{input} is too large",
    "int_from_float": "{input} is not a whole number",
    "float_parsing": "`{input}` is not a number",
}
_PREFIX = "Value error, "


@contextlib.contextmanager
def in_plain_words() -> Iterator[None]:
    """Say in plain words why typer refuses a value."""
    try:
        yield
    except typer.BadParameter as error:
        if (found := getattr(error.__cause__, "errors", None)) is not None:
            error.message = _sentence(found()[0], error.message)
        raise


def _sentence(found: dict[str, Any], otherwise: str) -> str:
    sentence = _SENTENCES.get(found["type"])
    if sentence is None:
        return otherwise.removeprefix(_PREFIX)
    return visible(sentence.format(input=found["input"], **found.get("ctx", {})))
