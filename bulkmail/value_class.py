"""Classes of values: dataclasses that are made in a tenth of the time, their instances in a third.

A frozen dataclass has a method compiled for each thing it can do, and sets each field of each
instance by a call; of a program that has hundreds of them, and of a message that is a dozen, that
is a good part. Here `__init__` alone is compiled, and when it is first called: of most of them a
run makes none. That nothing is assigned to is mypy's to hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")

#: Stands for a value that a field's factory is to make.
_TO_MAKE = object()


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
        return _made(plain, _METHODS, kw_only=kw_only)

    return made if kind is None else made(kind)


@overload
def record_class(kind: type[T], /) -> type[T]: ...
@overload
def record_class(*, kw_only: bool = False, eq: bool = True) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field,))
def record_class(kind: type[T] | None = None, /, *, kw_only: bool = False, eq: bool = True) -> Any:
    """The same, whose fields are assigned to: equal by them, or the same alone, but not hashed."""
    methods = {"__eq__": _eq, "__hash__": None, "__repr__": _repr} if eq else {"__repr__": _repr}

    def made(plain: type[T]) -> type[T]:
        return _made(plain, methods, kw_only=kw_only)

    return made if kind is None else made(kind)


def _made(plain: type[T], methods: Mapping[str, Any], *, kw_only: bool) -> type[T]:
    for name, method in methods.items():
        if name not in vars(plain):
            setattr(plain, name, method)
    if plain.__doc__ is None:
        # Else `dataclass` makes one of the signature, and takes 5 ms to look at the first.
        plain.__doc__ = plain.__name__
    done = dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(plain)
    if "__init__" not in vars(plain):
        _await(done)
    return done


def _await(kind: Any) -> None:
    """Give `kind` an `__init__` that the compiled one takes the place of when it is called."""

    def init(one: Any, /, *values: Any, **named: Any) -> None:
        kind.__init__ = compiled = _compiled(kind)
        compiled(one, *values, **named)

    kind.__init__ = init


def _compiled(kind: Any) -> Callable[..., None]:
    """The `__init__` that sets the fields of `kind`, as a dataclass would have it."""
    known: dict[str, Any] = {"_TO_MAKE": _TO_MAKE}
    parameters, named, lines = ["self"], ["*"], []
    for each in fields(kind):
        if not each.init:
            # `__post_init__` sets it.
            continue
        name, parameter, value = each.name, each.name, each.name
        if each.default_factory is not MISSING:
            known[f"_of_{name}"] = each.default_factory
            parameter, value = f"{name}=_TO_MAKE", f"_of_{name}() if {name} is _TO_MAKE else {name}"
        elif each.default is not MISSING:
            known[f"_of_{name}"] = each.default
            parameter = f"{name}=_of_{name}"
        (named if each.kw_only else parameters).append(parameter)
        lines.append(f" self.{name} = {value}")
    if len(named) > 1:
        parameters += named
    if hasattr(kind, "__post_init__"):
        lines.append(" self.__post_init__()")
    source = "\n".join([f"def __init__({', '.join(parameters)}):", *(lines or [" pass"])])
    exec(source, known)  # noqa: S102  # of names of fields alone, as dataclasses do it
    init: Callable[..., None] = known["__init__"]
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    return init


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
