"""What a check saw of a whole list: sizes, and whom it is made of."""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from bulkmail.campaign.mail_domains import provider_of
from bulkmail.fate import Delivery
from bulkmail.value_class import record_class

#: Domains that are named; most lists have a long tail of them.
_NAMED = 8
#: What a row without a language counts as.
NO_LANGUAGE = "none"
#: Domains of no provider that is known by name.
OTHERS = "others"


@record_class
class Overview:
    """Counts over the messages that can be sent."""

    #: Octets of the largest message's content, and of all.
    largest_bytes: int = 0
    total_bytes: int = 0
    #: How many recipients each has.
    domains: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    def count(self, delivery: Delivery, size_bytes: int, language_column: str) -> None:
        """One message of that size."""
        self.largest_bytes = max(self.largest_bytes, size_bytes)
        self.total_bytes += size_bytes
        if "@" in delivery.address:
            self.domains[delivery.address.rpartition("@")[2].lower()] += 1
        language = delivery.fields.get(language_column, self)
        if language is not self:
            self.languages[str(language or "").strip() or NO_LANGUAGE] += 1

    def top_domains(self) -> dict[str, int]:
        """The most frequent ones, and all others together."""
        named = dict(self.domains.most_common(_NAMED))
        rest = self.domains.total() - sum(named.values())
        return named | ({OTHERS: rest} if rest else {})

    def providers(self) -> dict[str, int]:
        """Recipients by the house that keeps their mailboxes, the others last."""
        counts: Counter[str] = Counter()
        for domain, count in self.domains.items():
            counts[provider_of(domain) or OTHERS] += count
        others = counts.pop(OTHERS, 0)
        return dict(counts.most_common()) | ({OTHERS: others} if others else {})
