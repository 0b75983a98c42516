"""The texts of a message: the campaign's `text:` and `html:` or `body:`; text from HTML if need be.

HTML is made in steps: the template, for `body:` Markdown to HTML, style sheets into style
attributes, and images that it shows by their paths into parts.
"""

from __future__ import annotations

from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError
from bulkmail.message.extra import MissingExtra
from bulkmail.message.files.shown_images import ShownImages
from bulkmail.message.frame import Part
from bulkmail.message.markup import Convert, css_inlined, markdown
from bulkmail.message.row import Row
from bulkmail.message.templates.language import Localised
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Kind, Templates
from bulkmail.message.transfer_encoding import ENCODING_FIELDS, BodyText, encode_text

#: The fields of a text by how it is encoded, with the blank line behind them.
_PLAIN, _HTML = (
    {
        encoding: b'Content-Type: text/%s; charset="utf-8"\r\n%s\r\n' % (subtype, field)
        for encoding, field in ENCODING_FIELDS.items()
    }
    for subtype in (b"plain", b"html")
)
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

    def texts(self, row: Row) -> tuple[BodyText | None, BodyText | None]:
        """Plain text and HTML for `row`: both, or one; fewer when `row` holds a fault."""
        text = page = None
        if self._html is not None:
            from_html = self._html.only or self._html.for_row(row)
            page = self._page(from_html, row) if self._steps else from_html.body(row)
        if self._text is not None:
            text = (self._text.only or self._text.for_row(row)).body(row)
        elif page is not None:
            from bulkmail.message.plain_text import plain_text  # noqa: PLC0415  # an HTML parser

            text = from_html.made_into(plain_text(page.decode()), row)
        return text, page

    async def with_images(self, page: BodyText, row: Row) -> tuple[BodyText | None, list[Part]]:
        """The HTML for `row` with the images it shows, and their parts."""
        if self._html is None:
            return page, []
        renderer = self._html.only or self._html.for_row(row)
        shown, images = await self._images.extracted(page.decode(), renderer, row)
        return renderer.made_into(shown, row), images

    def _page(self, renderer: Renderer, row: Row) -> BodyText | None:
        html = renderer.render(row)
        if html is None:
            return None
        for convert in self._steps:
            html = convert(html)
        return renderer.made_into(html, row)


def _style_sheet(css: str, templates: Templates) -> str | None:
    """The text of the style sheet that `css:` names. Raises `ValueError`, `ConfigurationError`."""
    if css == _OWN_STYLES:
        return None
    path = templates.files.locate(css)
    if path is None:
        raise ValueError(templates.files.problem(css).replace("the template", "the style sheet", 1))
    return templates.files.read(path)


def alternatives(text: BodyText | None, page: BodyText | None) -> list[Part]:
    """Plain text and HTML as parts, of whichever there is."""
    parts: list[Part] = []
    if text is not None:
        body = encode_text(text)
        parts.append((_PLAIN[body.encoding], body, None))
    if page is not None:
        body = encode_text(page)
        parts.append((_HTML[body.encoding], body, None))
    return parts
