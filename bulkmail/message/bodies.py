"""The texts of a message: the campaign's `text:` and `html:` or `body:`; text from HTML if need be.

HTML is made in steps: the template, for `body:` Markdown to HTML, style sheets into style
attributes, and images that it shows by their paths into parts.
"""

from __future__ import annotations

from bulkmail.address import control_character
from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError
from bulkmail.message.extra import MissingExtra
from bulkmail.message.files.shown_images import ShownImages, may_show_images
from bulkmail.message.frame import Part
from bulkmail.message.markup import Convert, css_inlined, markdown
from bulkmail.message.plain_text import plain_text
from bulkmail.message.row import Row
from bulkmail.message.templates.language import Localised
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Kind, Templates
from bulkmail.message.transfer_encoding import ENCODING_FIELDS, encode_text

#: The fields of a text by what it is and how it is encoded.
_FIELDS = {
    subtype: {
        encoding: b'Content-Type: text/%s; charset="utf-8"\r\n%s' % (subtype.encode(), field)
        for encoding, field in ENCODING_FIELDS.items()
    }
    for subtype in ("plain", "html")
}
#: The value of `css:` for the style sheets that stand in the HTML itself.
_OWN_STYLES = "inline"


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
        parts: list[Part] = []
        images: list[Part] = []
        from_html = None if self._html is None else self._html.for_row(row)
        page = None if from_html is None else self._page(from_html, row)
        from_text, text = from_html, None
        if self._text is not None:
            from_text = self._text.for_row(row)
            text = from_text.render(row)
        elif page is not None:
            text = plain_text(page)
        if page is not None and from_html is not None and may_show_images(page):
            page, images = await self._images.extracted(page, from_html, row)
        for subtype, content, renderer in (("plain", text, from_text), ("html", page, from_html)):
            if content is not None and renderer is not None:
                _add_part(parts, subtype, content, renderer, row)
        return parts, images

    def _page(self, renderer: Renderer, row: Row) -> str | None:
        html = renderer.render(row)
        if html is not None:
            for convert in self._steps:
                html = convert(html)
        return html


def _style_sheet(css: str, templates: Templates) -> str | None:
    """The text of the style sheet that `css:` names. Raises `ValueError`, `ConfigurationError`."""
    if css == _OWN_STYLES:
        return None
    path = templates.files.locate(css)
    if path is None:
        raise ValueError(templates.files.problem(css).replace("the template", "the style sheet", 1))
    return templates.files.read(path)


def _add_part(parts: list[Part], subtype: str, text: str, renderer: Renderer, row: Row) -> None:
    """Encode the text that `renderer` came to; half a character in it is a fault."""
    try:
        body = encode_text(text)
    except UnicodeEncodeError as error:
        half = text[error.start]
        where = row.columns_with(half)
        row.add(renderer.fault(f"{control_character(half)}{where}"))
    else:
        parts.append(Part(_FIELDS[subtype][body.encoding], body))
