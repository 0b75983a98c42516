"""What a template may make at most: a slip in a loop or a product ends as a row's fault.

Without them ``{{ "-" * width }}`` with a number out of a cell takes all of the machine's memory.
There is no bound on time: jinja2's sandbox has one on the length of a `range`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

#: Characters of one text; the items of one list.
MAX_LENGTH: Final = 10_000_000
_MAX_BITS: Final = 100_000


class TooLongError(Exception):
    """A value in a template is longer than any message should be."""


class TextTooLongError(TooLongError):
    """The text that a template makes is."""


class BoundedEnvironment(SandboxedEnvironment):
    """Jinja2's sandbox, in which a product and a power are looked at before they are made."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Make the product or the power. Raises `TooLongError`."""
        if operator == "*":
            for value, times in ((left, right), (right, left)):
                if isinstance(value, str | list | tuple) and isinstance(times, int):
                    _check(len(value) * times, TooLongError)
        elif (
            isinstance(left, int)
            and isinstance(right, int)
            and left.bit_length() * right > _MAX_BITS
        ):
            raise TooLongError("makes a power with too many digits")
        return super().call_binop(context, operator, left, right)


def joined(pieces: Iterable[str]) -> str:
    """The text that the pieces are. Raises `TextTooLongError`, in good time."""
    return "".join(_bounded(pieces))


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if length > MAX_LENGTH:
            _check(length, TextTooLongError)
        yield piece


def _check(length: int, error: type[TooLongError]) -> None:
    if length > MAX_LENGTH:
        raise error(f"makes more than {MAX_LENGTH // 1_000_000} million characters")
