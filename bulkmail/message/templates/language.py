"""The recipient's language: which of a template's variants is theirs.

`offer.html.j2` has variants beside it, `offer.zh.html.j2` and `offer.pt-BR.html.j2`. A row whose
language is `zh-CN` gets the variant `zh-CN`, else `zh`, else the template without a language
(the lookup of RFC 4647, 3.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bulkmail.campaign.models.campaign import CampaignModel
from bulkmail.message.row import Row
from bulkmail.message.templates.rendering import Renderer

#: The column that is looked at unless the campaign names another.
DEFAULT_COLUMN = "language"


def language_column(model: CampaignModel) -> str:
    """The column that holds the recipient's language."""
    return model.language or DEFAULT_COLUMN


def tags(text: Any) -> Iterator[str]:
    """The tags to look for, in lower case, the nearest first: ``zh_Hans_CN``, ``zh-hans``, ``zh``.

    Nothing for what is no text.
    """
    if not isinstance(text, str):
        return
    subtags = text.strip().lower().replace("_", "-").split("-")
    for count in range(len(subtags), 0, -1):
        if subtags[count - 1]:
            yield "-".join(subtags[:count])


class Localised:
    """A template and its variants by language."""

    def __init__(self, default: Renderer, variants: Mapping[str, Renderer], column: str) -> None:
        """`variants` by tag in lower case."""
        self._default = default
        self._variants = variants
        #: The template for everybody; None where there are several.
        self.only = None if variants else default
        self._column = column

    def for_row(self, row: Row) -> Renderer:
        """The template in the row's language."""
        for tag in tags(row.delivery.fields.get(self._column)):
            if tag in self._variants:
                return self._variants[tag]
        return self._default
