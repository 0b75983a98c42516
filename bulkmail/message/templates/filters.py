"""The filters that templates have beside jinja2's own."""

from __future__ import annotations

import importlib.util
import re
import unicodedata
from typing import Any

from jinja2.exceptions import FilterArgumentError

from bulkmail.address import excerpt
from bulkmail.message.templates.local_format import LocalFormat
from bulkmail.message.templates.qr import qr
from bulkmail.message.verp import verp

#: `ext. 12`, `x12`, `转12`, `分机 12`, as people write it behind a number. (From the first of many
#: spaces on alone: from each of them it would take hours.)
_EXTENSION = re.compile(
    r"(?<![\s,;])[\s,;]*(?:ext(?:ension)?[.=:]?|x|#|转|轉|分机|分機)[\s:]*([0-9]+)$", re.IGNORECASE
)

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
    """A telephone number as a ``tel:`` link has it (RFC 3966): digits, and a + before them.

    An extension is kept as one: dialled as a part of the number it would reach somebody else.
    """
    whole = unicodedata.normalize("NFKC", str(value)).strip()
    extension = _EXTENSION.search(whole)
    text = whole[: extension.start()] if extension else whole
    # `+44 (0)20 …`: the 0 in brackets is dialled only without the +.
    text = text.replace("(0)", "") if text.startswith("+") else text
    digits = "".join(character for character in text if character.isdigit())
    if not digits.isascii() or not digits or any(map(str.isalpha, text)):
        raise FilterArgumentError(f"tel: `{excerpt(str(value))}` is no telephone number")
    number = "+" + digits if text.startswith("+") else digits
    return f"{number};ext={extension[1]}" if extension else number
