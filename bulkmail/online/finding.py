"""One thing that was looked at, and how it is."""

from __future__ import annotations

from bulkmail.value_class import value_class


@value_class
class Finding:
    """What was seen, in a sentence that ends with what to do where something is."""

    #: None: it could not be found out.
    is_good: bool | None
    sentence: str
    #: Whether it leaves the decision to a person: mail can be sent all the same.
    is_advice: bool = False

    @property
    def mark(self) -> str:
        """As a line begins."""
        return "?" if self.is_good is None else "✓" if self.is_good else "✗"

    @property
    def is_fault(self) -> bool:
        """Whether sending would go wrong."""
        return self.is_good is not True and not self.is_advice


def advice(is_good: bool | None, sentence: str) -> Finding:  # noqa: FBT001  # as Finding has it
    """A finding that stops nobody."""
    return Finding(is_good, sentence, is_advice=True)
