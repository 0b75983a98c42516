"""A compiled template, and what a person is told when a row does not fit it.

The border to jinja2: whatever rendering raises becomes a fault with the template's file and line,
the row and the address. Templates run code that is the user's; a traceback never comes of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import jinja2
from jinja2.exceptions import SecurityError
from jinja2.utils import missing

from bulkmail.address import control_character
from bulkmail.campaign.nearest import nearest
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.message.extra import MissingExtra
from bulkmail.message.row import ALWAYS, RESERVED, Row
from bulkmail.message.templates.bounds import Budget, TextTooLongError, joined
from bulkmail.message.templates.plain import PlainTemplate
from bulkmail.message.templates.undefined import MissingVariable, Use
from bulkmail.message.templates.widths import TooLongError
from bulkmail.message.transfer_encoding import BodyText
from bulkmail.value_class import value_class

#: Compiles a template.
Late = Callable[[], jinja2.Template]
#: Makes a fault at a line of what a jinja2 file name stands for: a file, or a campaign's key.
Place = Callable[[str, int, str], Fault | None]


@value_class
class Origin:
    """What every template of a campaign shares when something goes wrong."""

    #: None for a file name that is no template's.
    place: Place
    #: Render with undefined names noted instead of raised.
    uses_in: Callable[[Renderer, Row], list[Use]]
    #: What the columns are of: ``offer.csv``.
    list_name: str
    #: What each rendering pays from.
    budget: Budget


class Renderer:
    """One template. `render` gives its text for a row."""

    __slots__ = ("_is_of_columns", "_origin", "_plain", "_template", "constant", "filename")

    def __init__(
        self,
        template: jinja2.Template | Late | None,
        origin: Origin,
        *,
        filename: str,
        constant: str | None = None,
        plain: PlainTemplate | None = None,
    ) -> None:
        self._template = _flat(template) if isinstance(template, jinja2.Template) else template
        self._plain = plain
        #: Whether all that is filled in are columns, or variables of the campaign's own: then
        #: nothing has to be gathered first.
        self._is_of_columns = plain is not None and plain.names.isdisjoint(ALWAYS)
        self._origin = origin
        #: As jinja2 knows it; faults without a line of their own are put there.
        self.filename = filename
        #: Its text where there is nothing to fill in.
        self.constant = constant

    @property
    def template(self) -> jinja2.Template | None:
        """The compiled template; None where it has faults, or nothing is to be filled in."""
        template = self._template
        if template is None or isinstance(template, jinja2.Template):
            return template
        compiled = self._template = _flat(template())
        return compiled

    def render(self, row: Row) -> str | None:
        """The text for `row`; None when it cannot be made, and `row` holds the faults."""
        if (plain := self._plain) is not None:
            values = row.columns if self._is_of_columns else row.variables
            if (filled := plain.text(values)) is not None:
                return filled
        if self.constant is not None or self._template is None:
            return self.constant
        try:
            template = self.template
            text = "" if template is None else self._text(template, row)
        except Exception as error:  # noqa: BLE001  # a template's code may raise anything; it becomes the row's fault
            row.add(*self._faults(error, row))
            return None
        if "\0" in text:
            row.add(self.fault(f"a NUL{row.columns_with(chr(0))}"))
            return None
        return text

    def body(self, row: Row) -> BodyText | None:
        """The text for `row`, to be encoded; None when it cannot be made, and `row` has faults."""
        if (plain := self._plain) is not None:
            values = row.columns if self._is_of_columns else row.variables
            if (made := plain.body(values)) is not None:
                return made
        text = self.render(row)
        return None if text is None else self.made_into(text, row)

    def made_into(self, text: str, row: Row) -> BodyText | None:
        """The same of a text that this template's was made into."""
        try:
            return BodyText.of(text)
        except UnicodeEncodeError as error:
            half = text[error.start]
            row.add(self.fault(f"{control_character(half)}{row.columns_with(half)}"))
            return None

    def _text(self, template: jinja2.Template, row: Row) -> str:
        budget = self._origin.budget
        budget.renew()
        try:
            variables = {**template.globals, **row.variables}
            context = template.new_context(variables, shared=True)
            return joined(template.root_render_func(context))
        except TextTooLongError:
            raise
        except Exception:  # noqa: BLE001  # jinja2's own way tells the line at which it fails
            budget.renew()
            return template.render(row.variables)

    def line(self, row: Row) -> str | None:
        """The text for what becomes a header, an address or a file name: one line, stripped."""
        text = self.render(row)
        if text is None:
            return None
        if not text.isprintable() and (problem := row.unsafe(text)):
            row.add(self.fault(f"{problem}, in what has to be one line"))
            return None
        return text.strip(" ")

    def fault(self, message: str, line: int = 1) -> Fault:
        """A fault of this template."""
        return self._origin.place(self.filename, line, message) or Fault(message=message)

    def _faults(self, error: Exception, row: Row) -> list[Fault]:
        if isinstance(error, ConfigurationError):
            return list(error.faults)
        if isinstance(error, MissingVariable) and (uses := self._origin.uses_in(self, row)):
            return [self._fault_of_use(use, row) for use in uses]
        filename, line = self._place(error)
        message = self._sentence(error, row)
        return [self._origin.place(filename, line, message) or self.fault(message)]

    def _fault_of_use(self, use: Use, row: Row) -> Fault:
        message = self._unknown(use.name, use.owner, row)
        filename = use.filename or self.filename
        return self._origin.place(filename, use.line, message) or self.fault(message)

    def _place(self, error: Exception) -> tuple[str, int]:
        """The innermost line of a template that the error came through."""
        found = self.filename, 1
        traceback = error.__traceback__
        while traceback is not None:
            filename = traceback.tb_frame.f_code.co_filename
            if self._origin.place(filename, traceback.tb_lineno, ""):
                found = filename, traceback.tb_lineno
            traceback = traceback.tb_next
        return found

    def _sentence(self, error: Exception, row: Row) -> str:
        match error:
            case MissingVariable():
                return self._unknown(error.name, error.owner, row)
            case SecurityError():
                return f"the templates' sandbox refuses this: {error}"
            case RecursionError():
                return "templates include or call one another without an end"
            case MissingExtra() | TooLongError():
                return str(error)
            case jinja2.TemplateError():
                return str(error.message or error)
            case _:
                hint = "; text is no number: `| int` makes it one" if _is_of_text(error) else ""
                return f"cannot be rendered: {type(error).__name__}: {error}{hint}"

    def _unknown(self, name: object, owner: object, row: Row) -> str:
        fields = row.delivery.fields
        if owner is not missing and owner is not row.variables["recipient"]:
            return f"`{name}` is not in that {_kind(owner)}"
        near = nearest(str(name), [*fields, *(RESERVED if owner is missing else ())])
        # Of `{{ e-mail }}` the first part is a name.
        cut = f"{name}-".lower()
        near = near or next((field for field in fields if field.lower().startswith(cut)), None)
        shown = f"{{{{ {name} }}}}" if owner is missing else f'recipient["{name}"]'
        hint = f". Did you mean {_reference(near)}?" if near else ""
        return f"`{shown}` is not a column of {self._origin.list_name}{hint}"


def _is_of_text(error: Exception) -> bool:
    """Whether it is about text, such as a cell of a CSV, where a number belongs."""
    words = re.findall(r"\w+", str(error)) if isinstance(error, TypeError) else ()
    return "str" in words and not {"int", "float"}.isdisjoint(words)


def _flat(template: jinja2.Template) -> jinja2.Template:
    """The same with one mapping, where jinja2 has a chain of them: it is gone through a row."""
    template.globals = dict(template.globals)
    return template


def _reference(column: str) -> str:
    """How a template writes a column."""
    return f"`{column}`" if column.isidentifier() else f'`recipient["{column}"]`'


def _kind(owner: object) -> str:
    name = type(owner).__name__
    return {"dict": "mapping", "str": "text"}.get(name, name)
