"""The texts of a message: the campaign's `text:` and `html:`, or text made from the HTML."""

from __future__ import annotations

from bulkmail.address import control_character
from bulkmail.campaign.load import Campaign
from bulkmail.message.frame import Part
from bulkmail.message.plain_text import plain_text
from bulkmail.message.rendering import Renderer
from bulkmail.message.row import Row
from bulkmail.message.templates import Templates
from bulkmail.message.transfer_encoding import encode_text

_TYPES = {
    "plain": b'Content-Type: text/plain; charset="utf-8"\r\n',
    "html": b'Content-Type: text/html; charset="utf-8"\r\n',
}


class Bodies:
    """The alternatives, plain text first: readers take the last one they can show."""

    def __init__(self, campaign: Campaign, templates: Templates) -> None:
        model = campaign.model
        self._text = (
            None
            if model.text is None
            else templates.localised(model.text, ("text",), is_html=False)
        )
        self._html = (
            None if model.html is None else templates.localised(model.html, ("html",), is_html=True)
        )

    @property
    def count(self) -> int:
        """How many parts each message has for them."""
        return 1 if self._html is None else 2

    def parts(self, row: Row) -> list[Part]:
        """The parts for `row`; fewer when `row` holds a fault."""
        of_html = None if self._html is None else self._html.for_row(row)
        of_text = None if self._text is None else self._text.for_row(row)
        html = None if of_html is None else of_html.render(row)
        text = None if of_text is None else of_text.render(row)
        if of_text is None and html is not None:
            text = plain_text(html)
        parts = (
            self._part("plain", of_text or of_html, text, row),
            self._part("html", of_html, html, row),
        )
        return [part for part in parts if part is not None]

    def _part(
        self, subtype: str, renderer: Renderer | None, text: str | None, row: Row
    ) -> Part | None:
        if text is None or renderer is None:
            return None
        try:
            body = encode_text(text)
        except UnicodeEncodeError as error:
            half = text[error.start]
            where = row.columns_with(half)
            row.add(renderer.fault(f"{control_character(half)}{where}"))
            return None
        return Part(_TYPES[subtype] + body.field, body)
