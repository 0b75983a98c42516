"""Names that a template uses and a row does not have.

Two kinds of jinja2's Undefined: `Missing` stops at the first use and carries the name as a fact;
`noting` makes one that notes every use with its place and lets rendering go on, so that a row's
faults can be listed in one go. Neither minds ``is defined`` and ``default()``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from types import FrameType
from typing import Any, cast

from jinja2 import StrictUndefined, Template, Undefined, UndefinedError
from jinja2.exceptions import TemplateRuntimeError
from jinja2.utils import missing

from bulkmail.value_class import value_class


class MissingVariable(UndefinedError):
    """A name, or an attribute of something, that is not there."""

    def __init__(self, name: Any, owner: Any, message: str | None = None) -> None:
        super().__init__(message)
        self.name = name
        #: What should have had it; jinja2's `missing` where it is a plain variable.
        self.owner = owner


@value_class
class Use:
    """One use of a name that is not there."""

    name: Any
    owner: Any
    #: The template's file name, as the loader gave it.
    filename: str | None
    line: int


class Missing(StrictUndefined):
    """Fails with `MissingVariable` as soon as it is used."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        if exc is UndefinedError:
            exc = cast("type[TemplateRuntimeError]", partial(MissingVariable, name, obj))
        super().__init__(hint, obj, name, exc)

    # The filters `round` and `abs` ask for these; StrictUndefined does not know them.
    __round__ = __abs__ = __trunc__ = StrictUndefined._fail_with_undefined_error  # noqa: SLF001  # how jinja2 itself binds them


def noting(uses: list[Use]) -> type[Undefined]:
    """A class whose instances add each use to `uses` and go on as something empty."""

    class Noting(Missing):
        __slots__ = ()

    def answering(value: Any) -> Any:
        def answer(self: Undefined, *_arguments: Any, **_named: Any) -> Any:
            uses.append(_use(self))
            return self if value is missing else value

        return answer

    def attribute(self: Undefined, name: str) -> Any:
        if name[:2] == "__":
            raise AttributeError(name)
        uses.append(_use(self))
        return self

    for names, value in (
        ("str", ""),
        ("len int hash", 0),
        ("float complex", 0.0),
        ("bool eq ne lt le gt ge contains", False),
        ("add radd sub rsub mul rmul truediv rtruediv floordiv rfloordiv mod rmod", missing),
        ("pow rpow pos neg abs round call getitem", missing),
    ):
        for name in names.split():
            setattr(Noting, f"__{name}__", answering(value))

    def items(self: Undefined) -> Iterator[Any]:
        uses.append(_use(self))
        return iter(())

    for name, method in {"iter": items, "getattr": attribute}.items():
        setattr(Noting, f"__{name}__", method)
    return Noting


def _use(undefined: Undefined) -> Use:
    """Where the template that is being rendered stands."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  # the way to the caller
    while frame is not None:
        template = frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template):
            line = template.get_corresponding_lineno(frame.f_lineno)
            return Use(undefined._undefined_name, undefined._undefined_obj, template.filename, line)  # noqa: SLF001  # jinja2 keeps the name nowhere else
        frame = frame.f_back
    return Use(undefined._undefined_name, undefined._undefined_obj, None, 0)  # noqa: SLF001  # as above
