"""Classes of values: dataclasses that are made in a third of the time, and so are their instances.

A frozen dataclass has a method compiled for each thing it can do, and sets each field of each
instance by a call; of a program that has hundreds of them, and of a message that is a dozen, that
is a good part. Here `__init__` alone is compiled. That nothing is assigned to is mypy's to hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")


@overload
def value_class(kind: type[T], /) -> type[T]: ...
@overload
def value_class(*, kw_only: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value_class(kind: type[T] | None = None, /, *, kw_only: bool = False) -> Any:
    """Make a dataclass with slots: equal, hashed and shown by its fields, as a frozen one is.

    What `dataclasses` has for others works for it: `replace`, `fields`, `asdict`, `field`. What
    the class defines itself stays.
    """

    def made(plain: type[T]) -> type[T]:
        for name, method in _METHODS.items():
            if name not in vars(plain):
                setattr(plain, name, method)
        return dataclass(repr=False, eq=False, slots=True, kw_only=kw_only)(plain)

    return made if kind is None else made(kind)


def _eq(one: Any, other: object) -> Any:
    if other.__class__ is not one.__class__:
        return NotImplemented
    kind: Any = one.__class__
    compared = _compared(kind)
    return compared(one) == compared(other)


def _hash(one: Any) -> int:
    kind: Any = one.__class__
    return hash(_compared(kind)(one))


def _repr(one: Any) -> str:
    kind: Any = one.__class__
    told = ", ".join(f"{name}={getattr(one, name)!r}" for name in _shown(kind))
    return f"{kind.__qualname__}({told})"


_METHODS = {"__eq__": _eq, "__hash__": _hash, "__repr__": _repr}


@cache
def _compared(kind: Any) -> Callable[[Any], object]:
    """What gives the values that tell one from another."""
    names = [each.name for each in fields(kind) if each.compare]
    return attrgetter(*names) if names else lambda _: ()


@cache
def _shown(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.repr)
