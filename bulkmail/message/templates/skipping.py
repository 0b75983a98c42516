"""`skip_if:`: an expression that says, row by row, who gets nothing."""

from __future__ import annotations

from bulkmail.campaign.load import Campaign
from bulkmail.message.row import Row
from bulkmail.message.templates.templates import Templates

_YES = "1"


class SkipRule:
    """The campaign's condition, compiled; without one nobody is skipped."""

    def __init__(self, campaign: Campaign, templates: Templates) -> None:
        expression = bare_expression(campaign.model.skip_if or "")
        self._renderer = (
            templates.inline(f"{{% if {expression} %}}{_YES}{{% endif %}}", ("skip_if",))
            if expression
            else None
        )
        self._reason = f"skipped by skip_if: {expression}"

    @property
    def is_empty(self) -> bool:
        """Whether the campaign has no condition."""
        return self._renderer is None

    def reason(self, row: Row) -> str | None:
        """Why `row` gets nothing; None when it gets its message, or the expression has a fault.

        The fault is in `row` then.
        """
        if self._renderer is None or self._renderer.render(row) != _YES:
            return None
        return self._reason


def bare_expression(text: str) -> str:
    """The expression without the ``{{ }}`` that somebody put around it."""
    text = text.strip()
    if text.startswith("{{") and text.endswith("}}") and "{{" not in text[2:]:
        return text[2:-2].strip()
    return text
