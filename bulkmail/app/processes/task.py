"""What the children of a run are given to do, once the list is in the ledger and checked."""

from __future__ import annotations

from collections.abc import Sequence

from bulkmail.app.processes.words import Begin
from bulkmail.app.suppressing import Listed
from bulkmail.app.watch import Counting, Watch
from bulkmail.campaign.load import Campaign
from bulkmail.delivery.ending import RunSettings
from bulkmail.ledger import Ledger
from bulkmail.report.log import Form
from bulkmail.transport.transcript import Transcript
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class Task:
    """A run, as its children have it."""

    campaign: Campaign
    #: A file: others open it as well.
    ledger: Ledger
    campaign_id: int
    #: What was checked: children have to see the same.
    fingerprint: str
    #: With the limit of the whole run.
    settings: RunSettings
    ignore_window: bool
    #: Addresses of the campaign's own suppression files.
    listed: Sequence[Listed]
    #: Addresses that get no copies either.
    suppressed: frozenset[str]
    transcript: Transcript | None
    #: Who is told of all but each try.
    watch: Watch
    #: Who is told of that: children write the log themselves.
    display: Watch
    #: How the log's lines are written.
    log_format: Form = "text"

    def part(self, owner: str, limit: int | None) -> Begin:
        """One child's part, under that name; `limit`: at most so many recipients."""
        if self.ledger.path is None:
            raise AssertionError("a ledger that processes share is a file")
        return Begin(
            ledger=self.ledger.path,
            log_format=self.log_format,
            campaign_id=self.campaign_id,
            owner=owner,
            limit=limit,
            is_summed=limit is None and isinstance(self.display, Counting),
            is_waiting=self.settings.is_waiting,
            ignore_window=self.ignore_window,
            listed=self.listed,
            suppressed=self.suppressed,
        )
