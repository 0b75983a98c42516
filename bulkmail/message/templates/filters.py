"""The filters that templates have beside jinja2's own."""

from __future__ import annotations

import importlib.util
import unicodedata
from typing import Any

from jinja2.exceptions import FilterArgumentError

from bulkmail.message.templates.local_format import LocalFormat
from bulkmail.message.templates.qr import qr
from bulkmail.message.verp import verp

_NEEDS = {
    **dict.fromkeys(("date", "time", "money", "number"), ("babel", "locale")),
    "qr": ("segno", "qr"),
}


def filters(language_column: str) -> dict[str, Any]:
    """By name, as jinja2 takes them."""
    return {**LocalFormat(language_column).filters(), "tel": tel, "qr": qr, "verp": verp}


def missing_extra(name: str) -> str | None:
    """What is to be done before the filter `name` can be used; None: nothing."""
    module, extra = _NEEDS.get(name, ("", ""))
    if not module or importlib.util.find_spec(module) is not None:
        return None
    return f"the filter `{name}` needs an extra: pip install 'bulkmail[{extra}]'"


def tel(value: Any) -> str:
    """A telephone number as a ``tel:`` link has it (RFC 3966): digits, and a + before them."""
    text = unicodedata.normalize("NFKC", str(value)).strip()
    # `+44 (0)20 …`: the 0 in brackets is dialled only without the +.
    text = text.replace("(0)", "") if text.startswith("+") else text
    digits = "".join(character for character in text if character.isdigit())
    if not digits.isascii() or not digits:
        raise FilterArgumentError(f"tel: `{value}` is no telephone number")
    return "+" + digits if text.startswith("+") else digits
