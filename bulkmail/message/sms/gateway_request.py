"""The request of a gateway that is described in YAML: its templates, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from bulkmail.campaign.document import Loc
from bulkmail.campaign.models.gateway import GatewayModel
from bulkmail.campaign.values import ENVIRONMENT_REFERENCE, is_template
from bulkmail.message.row import Row
from bulkmail.message.sms.secret_marks import ACCOUNT, PASSWORD, mark, masked
from bulkmail.message.sms.text_message import RenderedRequest
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates

#: Variables that may be shown.
_SHOWN = ("mobile", "digits", "message_id")
#: What templates reach the account's own by: ``{{ gateway.password }}``.
GATEWAY_VARIABLE = {"account": mark(ACCOUNT), "password": mark(PASSWORD)}


class RequestTemplates:
    """Fills in a gateway's url, query, headers and form or JSON for a row."""

    def __init__(self, model: GatewayModel, loc: Loc, templates: Templates) -> None:
        """What is wrong with a template gathers in `templates.faults`."""
        self._templates = templates
        self._url = self._compiled(model.url or "", (*loc, "url"))
        # As it is written: columns and secrets are names in it.
        self._shown_path = urlsplit(model.url or "").path
        self._query = self._all(model.query, (*loc, "query"))
        self._headers = self._all(model.headers, (*loc, "headers"))
        self._form = self._all(model.form, (*loc, "form"))
        self._json = self._tree(model.json_, (*loc, "json"))

    def request(self, row: Row) -> RenderedRequest | None:
        """The request for `row`; None where it cannot be made, and `row` holds the faults."""
        url = self._url.line(row)
        query = {name: made.render(row) for name, made in self._query.items()}
        headers = {name: made.line(row) for name, made in self._headers.items()}
        form = {name: made.render(row) for name, made in self._form.items()}
        json = _filled_in(self._json, row)
        if url is None or None in {*query.values(), *headers.values(), *form.values()}:
            return None
        own = {str(row.variables[name]) for name in _SHOWN}
        parts = {"query": self._query, "headers": self._headers, "form": self._form}
        shown = {
            f"{part}.{place}": _shown(made, row, own)
            for part, tree in {**parts, "json": self._json}.items()
            for place, made in _leaves(tree)
        }
        return RenderedRequest(
            url, _whole(query), _whole(headers), _whole(form), json, shown, self._shown_path
        )

    def _all(self, texts: Mapping[str, str], loc: Loc) -> dict[str, Renderer]:
        return {name: self._compiled(text, (*loc, name)) for name, text in texts.items()}

    def _tree(self, value: Any, loc: Loc) -> Any:
        match value:
            case str():
                return self._compiled(value, loc)
            case dict():
                return {key: self._tree(part, (*loc, key)) for key, part in value.items()}
            case list():
                return [self._tree(part, (*loc, index)) for index, part in enumerate(value)]
        return value

    def _compiled(self, text: str, loc: Loc) -> Renderer:
        # In what is no template the mark stands as it is; a text with `{{` is left to jinja2.
        if is_template(text):
            put_in: Callable[[str], str] = lambda name: f"{{{{ '{mark(name)}' }}}}"  # noqa: E731
        else:
            put_in = mark
        source = ENVIRONMENT_REFERENCE.sub(lambda match: put_in(match[1]), text)
        return self._templates.inline(source, loc)


def _leaves(tree: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """What stands at the ends of a tree, and where."""
    match tree:
        case dict():
            for key, part in tree.items():
                yield from _leaves(part, f"{place}.{key}" if place else str(key))
        case list():
            for index, part in enumerate(tree):
                yield from _leaves(part, f"{place}[{index}]")
        case None:
            return
        case _:
            yield place, tree


def _shown(made: Any, row: Row, own: set[str]) -> str:
    """A value for a person: as it is where no row has a say in it, or where it is the number."""
    if not isinstance(made, Renderer):
        return str(made)
    text = made.render(row) or ""
    if made.constant is not None or text in own:
        return str(masked(text))
    return f"[{len(str(masked(text)))} characters]"


def _filled_in(value: Any, row: Row) -> Any:
    match value:
        case Renderer():
            return value.render(row)
        case dict():
            return {key: _filled_in(part, row) for key, part in value.items()}
        case list():
            return [_filled_in(part, row) for part in value]
    return value


def _whole(texts: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text is not None}
