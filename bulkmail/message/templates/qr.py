"""QR codes, drawn by segno (extra `qr`): the filter writes an image that the message brings."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import quote

from jinja2 import pass_eval_context
from jinja2.exceptions import FilterArgumentError
from jinja2.nodes import EvalContext
from markupsafe import Markup, escape

from bulkmail.message.extra import extra

#: What the source of such an image begins with until the message is made (shown_images.py).
QR_SCHEME = "qr:"
#: Pixels a module: 29 modules, a short link's, are 232 pixels with the quiet zone around them.
_SCALE = 6
#: A code of level M holds 2331 bytes (ISO/IEC 18004); nobody's camera likes it.
_MOST = 2331


@pass_eval_context
def qr(context: EvalContext, value: Any, alt: str | None = None) -> Markup:
    """The filter: an `<img>` of the code for `value`, whose alternative text is `value` itself."""
    _segno()
    if not context.autoescape:
        raise FilterArgumentError("qr: an image is for HTML, and this is plain text")
    text = str(value)
    if not text:
        raise FilterArgumentError("qr: there is nothing to put into the code")
    if len(text.encode()) > _MOST:
        raise FilterArgumentError(f"qr: more than {_MOST} bytes fit into no code")
    return Markup('<img src="{}" alt="{}">').format(
        QR_SCHEME + quote(text, safe=""), escape(text if alt is None else alt)
    )


def qr_image(text: str) -> bytes:
    """The PNG; the same bytes for the same text."""
    image = io.BytesIO()
    _segno().make(text, error="m", micro=False).save(image, kind="png", scale=_SCALE)
    return image.getvalue()


def _segno() -> Any:
    return extra("segno", "the filter `qr`", "qr")
