"""A row of the table by which refusals are judged (`blame`), and the words that it looks for."""

from __future__ import annotations

import re
from functools import cache

from bulkmail.outcome import Blame, Overload
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Rule:
    """One row: what it fits, and what follows. What is None or empty fits everything."""

    blame: Blame
    #: Whether it may work later, whatever the first digit says; None: as the digit says.
    is_transient: bool | None = None
    #: Whose pace the reply speaks of; None: it is not about a pace.
    overload: Overload | None = None
    stages: frozenset[Stage] = frozenset()
    codes: frozenset[int] = frozenset()
    #: Enhanced status codes without their class, ``7.8``; or a subject, ``7.``.
    enhanced: tuple[str, ...] = ()
    #: A regular expression; the text is searched for it in any case. None: no matter.
    words: str | None = None

    def fits(self, stage: Stage, reply: Reply) -> bool:
        """Whether this row speaks of `reply` at `stage`."""
        detail = f"{reply.enhanced.subject}.{reply.enhanced.detail}" if reply.enhanced else ""
        return (
            (not self.stages or stage in self.stages)
            and (not self.codes or reply.code in self.codes)
            and (not self.enhanced or self._names(detail))
            and (self.words is None or said(self.words, reply.text))
        )

    def _names(self, detail: str) -> bool:
        return any(
            detail.startswith(name) if name.endswith(".") else detail == name
            for name in self.enhanced
        )


def any_of(*alternatives: str) -> str:
    """A regular expression for either of these."""
    return "|".join(alternatives)


def unless(others: str, words: str) -> str:
    """Those words, in a text without the others."""
    return rf"(?s:^(?!.*({others})).*({words}))"


def said(words: str, text: str) -> bool:
    """Whether they stand in it, in any case."""
    return _compiled(words).search(text) is not None


@cache
def _compiled(words: str) -> re.Pattern[str]:
    """Compiled when a server refuses something: most runs need none of the table."""
    return re.compile(words, re.IGNORECASE)
