"""What a template may make, and how long it may take: a slip ends as a row's fault.

Without that ``{{ "-" * width }}`` with a number out of a cell takes all of the machine's memory,
and loops within loops take for ever. What a template does is paid for out of a budget that each
rendering has anew: text that is put out or together by its length, and each turn of a loop, each
call of a macro, each include by what stands in it (metering.py). So the bound is the same on every
machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import update_wrapper
from types import BuiltinMethodType, FunctionType, MethodType
from typing import Any, Final

from jinja2 import TemplateRuntimeError, nodes, pass_context
from jinja2.filters import do_format
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference
from jinja2.sandbox import MAX_RANGE, SandboxedEnvironment, safe_range

from bulkmail.message.templates.metering import CHARGE, MEASURE, metered
from bulkmail.message.templates.widths import (
    WIDE_FILTERS,
    WIDE_METHODS,
    TooLongError,
    check_brace_format,
    check_percent_format,
    check_widths,
)

#: Characters of one text; the items of one list.
MAX_LENGTH: Final = 10_000_000
#: What one rendering may cost, in characters: less than a second's work.
BUDGET: Final = 50_000_000
#: Characters that what stands in the template has paid for.
_SHORT: Final = 40
#: What a list's item costs: it takes the memory of so many characters.
_ITEM: Final = 8
#: Characters that are put together in the time of one: a text, or a list, that each turn of a loop
#: adds to is copied each time.
_COPIED: Final = 16
_MAX_BITS: Final = 100_000
#: What nobody means to put out: `{{ loop }}`, `{{ self }}`, a macro that is not called.
_NO_VALUES: Final = (
    *(BuiltinMethodType, MethodType, FunctionType),
    *(Macro, LoopContext, TemplateReference, BlockReference),
)


class TextTooLongError(TooLongError):
    """The text that a template makes is longer than any message should be."""


class Budget:
    """What is left to the rendering under way."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = BUDGET

    def renew(self) -> None:
        """Begin a rendering."""
        self._left = BUDGET

    def charge(self, cost: int) -> None:
        """Take it away. Raises `TooLongError` where that much is not left."""
        self._left -= cost
        if self._left < 0:
            raise TooLongError(
                "goes too far: loops or macros go round too often, or put too much text together"
            )


class BoundedEnvironment(SandboxedEnvironment):
    """Jinja2's sandbox, in which what can grow is looked at before it is made."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(
        self, budget: Budget, escape: Callable[[Any], Any] | None = None, **options: Any
    ) -> None:
        """`escape` is what else becomes of a value; `options` are those of jinja2's environment."""
        put_out = _putting_out(budget)
        super().__init__(
            finalize=put_out if escape is None else lambda value: escape(put_out(value)), **options
        )
        self._budget = budget
        self.globals["range"] = _ranging(budget)
        for name in WIDE_FILTERS:
            self.filters[name] = _narrow(self.filters[name], budget)
        self.filters["format"] = self._format
        self.filters["join"] = _looked_at(self.filters["join"], self._look_at_join)
        self.filters["replace"] = _looked_at(self.filters["replace"], self._look_at_replace)
        self.filters[CHARGE] = _charging(budget)
        self.filters[MEASURE] = _measuring(budget)

    def _generate(
        self,
        source: nodes.Template,
        name: str | None,
        filename: str | None,
        defer_init: bool = False,  # noqa: FBT001, FBT002  # as jinja2 declares it
    ) -> str:
        return super()._generate(metered(source), name, filename, defer_init)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A mapping's own key, before its methods: a column may be called `items`."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """What the operator makes of the two. Raises `TooLongError`."""
        if operator == "*":
            _check_product(left, right)
        elif operator == "%":
            if isinstance(left, str):
                check_percent_format(left, right)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() * right)
        made = super().call_binop(context, operator, left, right)
        if isinstance(made, str | list | tuple):
            _check_length(len(made))
            cost = len(made) if isinstance(made, str) else _ITEM * len(made)
            self._budget.charge(cost // _COPIED if operator == "+" else cost)
        return made

    def call(self, context: Context, function: Any, /, *arguments: Any, **named: Any) -> Any:
        """What the function gives. Raises `TooLongError`."""
        owner = getattr(function, "__self__", None)
        if isinstance(owner, str | list):
            self._look_at_method(owner, function.__name__, arguments)
        return super().call(context, function, *arguments, **named)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """The sandbox's own way to call `str.format`; it raises `TooLongError`."""
        made = super().wrap_str_format(value)
        if made is None:
            return None

        def fill(*arguments: Any, **named: Any) -> str:
            check_brace_format(value.__self__, arguments, named)
            return made(*arguments, **named)

        return update_wrapper(fill, value)

    def _look_at_method(self, owner: str | list[Any], name: str, arguments: Sequence[Any]) -> None:
        if name in WIDE_METHODS:
            self._budget.charge(check_widths(arguments))
        elif name == "join" and arguments:
            self._look_at_join(arguments[0], owner)
        elif name == "replace":
            self._look_at_replace(owner, *arguments)
        elif name == "extend" and arguments and isinstance(arguments[0], Sized):
            self._budget.charge(_ITEM * len(arguments[0]))

    # The filters' arguments may be named, as jinja2 names them.

    def _look_at_join(self, values: Any, d: Any = "", attribute: Any = None) -> None:
        del attribute
        if isinstance(values, list | tuple):
            self._budget.charge(sum(len(value) for value in values if isinstance(value, str)))
        if isinstance(values, Sized):
            self._budget.charge(len(str(d)) * len(values))

    def _look_at_replace(
        self, text: Any, old: Any = "", new: Any = "", count: int | None = None
    ) -> None:
        del count
        longer = len(str(new)) - len(str(old))
        if longer > 0:
            self._budget.charge(str(text).count(str(old)) * longer)

    @staticmethod
    def _format(text: Any, *values: Any, **named: Any) -> str:
        check_percent_format(str(text), named or values)
        return do_format(text, *values, **named)


def joined(pieces: Iterable[str]) -> str:
    """The text that the pieces are. Raises `TextTooLongError`."""
    text = "".join(pieces)
    if len(text) > MAX_LENGTH:
        raise TextTooLongError(_too_long())
    return text


def _charging(budget: Budget) -> Callable[[Context, int], bool]:
    @pass_context  # so that it is not worked out when the template is compiled
    def charge(_context: Context, cost: int) -> bool:
        budget.charge(cost)
        return True

    return charge


def _measuring(budget: Budget) -> Callable[[Context, Any], Any]:
    @pass_context  # the same
    def measure(_context: Context, text: Any) -> Any:
        _check_length(len(text))
        budget.charge(len(text) // _COPIED)
        return text

    return measure


def _putting_out(budget: Budget) -> Callable[[Any], Any]:
    def put_out(value: Any) -> Any:
        """The value; nothing where it is null. It is called for each, so short ones are free."""
        if isinstance(value, str):
            if len(value) > _SHORT:
                budget.charge(len(value))
        elif value is None:
            return ""
        elif isinstance(value, _NO_VALUES):
            # `{{ order.items }}` where there is no such key: no reader wants to see that.
            name = getattr(value, "__name__", type(value).__name__)
            raise TemplateRuntimeError(f"puts out jinja's own `{name}`, where a value is meant")
        return value

    return put_out


def _ranging(budget: Budget) -> Callable[..., range]:
    def bounded_range(*arguments: int) -> range:
        try:
            made = safe_range(*arguments)
        except OverflowError:
            raise TooLongError(f"goes through more than {MAX_RANGE:,} numbers") from None
        budget.charge(len(made))
        return made

    return bounded_range


def _narrow(function: Callable[..., Any], budget: Budget) -> Callable[..., Any]:
    """The same filter, whose first argument behind the value is a width."""
    # Behind what jinja2 itself hands over.
    first = 2 if hasattr(function, "jinja_pass_arg") else 1

    def narrow(*arguments: Any, **named: Any) -> Any:
        named_widths = (value for name, value in named.items() if name != "fill_with")
        budget.charge(check_widths((*arguments[first : first + 1], *named_widths)))
        return function(*arguments, **named)

    return update_wrapper(narrow, function)


def _looked_at(function: Callable[..., Any], look: Callable[..., None]) -> Callable[..., Any]:
    """The same filter, which is handed how the text is escaped; `look` looks at the rest."""

    def looked_at(evaluation: Any, value: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(value, Iterator):
            value = list(value)
        look(value, *arguments, **named)
        return function(evaluation, value, *arguments, **named)

    return update_wrapper(looked_at, function)


def _check_product(left: Any, right: Any) -> None:
    for value, times in ((left, right), (right, left)):
        if isinstance(value, str | list | tuple) and isinstance(times, int):
            _check_length(len(value) * times)
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())


def _check_length(length: int) -> None:
    if length > MAX_LENGTH:
        raise TooLongError(_too_long())


def _check_bits(bits: int) -> None:
    if bits > _MAX_BITS:
        raise TooLongError("makes a number with too many digits")


def _too_long() -> str:
    return f"makes more than {MAX_LENGTH // 1_000_000} million characters"
