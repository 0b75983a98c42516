"""The texts of a message: the campaign's `text:` and `html:` or `body:`; text from HTML if need be.

HTML is made in steps: the template, for `body:` Markdown to HTML, style sheets into style
attributes, and images that it shows by their paths into parts.
"""

from __future__ import annotations

from typing import NamedTuple

from bulkmail.address import control_character
from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError
from bulkmail.message.extra import MissingExtra
from bulkmail.message.frame import Part
from bulkmail.message.language import Localised
from bulkmail.message.markup import Convert, css_inlined, markdown
from bulkmail.message.plain_text import plain_text
from bulkmail.message.rendering import Renderer
from bulkmail.message.row import Row
from bulkmail.message.shown_images import ShownImages
from bulkmail.message.templates import Kind, Templates
from bulkmail.message.transfer_encoding import encode_text

_TYPES = {
    "plain": b'Content-Type: text/plain; charset="utf-8"\r\n',
    "html": b'Content-Type: text/html; charset="utf-8"\r\n',
}
#: The value of `css:` for the style sheets that stand in the HTML itself.
_OWN_STYLES = "inline"


class _Rendered(NamedTuple):
    """A text and the template it came of."""

    text: str
    renderer: Renderer


class Bodies:
    """The alternatives, plain text first: readers take the last one they can show."""

    def __init__(self, campaign: Campaign, templates: Templates, images: ShownImages) -> None:
        model = campaign.model
        self._images = images

        def compiled(name: str | None, key: str, kind: Kind) -> Localised | None:
            return None if name is None else templates.localised(name, (key,), kind=kind)

        self._text = compiled(model.text, "text", Kind.TEXT)
        self._html = compiled(model.html, "html", Kind.HTML)
        self._steps: list[Convert] = []
        if model.body is not None:
            self._html = compiled(model.body, "body", Kind.MARKDOWN)
        try:
            key = "body"
            if model.body is not None:
                self._steps.append(markdown())
            key = "css"
            if model.css is not None:
                self._steps.append(css_inlined(_style_sheet(model.css, templates)))
        except (MissingExtra, ValueError) as error:
            templates.faults.append(campaign.fault((key,), str(error)))
        except ConfigurationError as error:
            templates.faults += error.faults

    async def parts(self, row: Row) -> tuple[list[Part], list[Part]]:
        """The parts for `row`, and those of the images shown; fewer when `row` holds a fault."""
        html = None if self._html is None else self._page(self._html.for_row(row), row)
        text = None if self._text is None else _rendered(self._text.for_row(row), row)
        if self._text is None and html is not None:
            text = _Rendered(plain_text(html.text), html.renderer)
        images: list[Part] = []
        if html is not None:
            page, images = await self._images.extracted(html.text, html.renderer, row)
            html = _Rendered(page, html.renderer)
        parts = (_part("plain", text, row), _part("html", html, row))
        return [part for part in parts if part is not None], images

    def _page(self, renderer: Renderer, row: Row) -> _Rendered | None:
        page = _rendered(renderer, row)
        if page is None:
            return None
        html = page.text
        for convert in self._steps:
            html = convert(html)
        return _Rendered(html, renderer)


def _rendered(renderer: Renderer, row: Row) -> _Rendered | None:
    text = renderer.render(row)
    return None if text is None else _Rendered(text, renderer)


def _style_sheet(css: str, templates: Templates) -> str | None:
    """The text of the style sheet that `css:` names. Raises `ValueError`, `ConfigurationError`."""
    if css == _OWN_STYLES:
        return None
    path = templates.files.locate(css)
    if path is None:
        raise ValueError(templates.files.problem(css).replace("the template", "the style sheet", 1))
    return templates.files.read(path)


def _part(subtype: str, rendered: _Rendered | None, row: Row) -> Part | None:
    if rendered is None:
        return None
    try:
        body = encode_text(rendered.text)
    except UnicodeEncodeError as error:
        half = rendered.text[error.start]
        where = row.columns_with(half)
        row.add(rendered.renderer.fault(f"{control_character(half)}{where}"))
        return None
    return Part(_TYPES[subtype] + body.field, body)
