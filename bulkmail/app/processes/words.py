"""What parent and child say to one another. Values alone, but for the secrets of an `Outfit`.

What a child tells of its run in the order it happens are tuples, a word and its facts:

    ("attempted", delivery, attempt)        one try, and its result is in the ledger
    ("counted", [(word, times), …])         what happened so often: of tries, which led from one
                                            state to another, ("tried", before, after)
    ("waiting", sentence, until)
    ("server", name, sentence)              it became unusable, or usable again ("")
    ("line", connection, text)              of the transcript
    ("told", sentence)                      for a person who wants to know more
    ("taken", server)                       it took a message; counted
    ("refused", server, sentence)           it refused one for good: see `stop_after`
    ("knock", server)                       may a first session be opened?
    ("opened", server) ("not opened", server) ("login refused", server, error)
    ("ready", fingerprint) ("over", result) ("failed", error)
    ("here",)                               the answer to "ask", at once

What it is told:

    ("begin", Begin) ("stop",) ("cut",) ("ask",) ("grant", recipients)
    ("enter", server) ("login refused", server, error) ("retire", server, sentence)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkmail.app.suppressing import Listed
from bulkmail.campaign.load import Campaign
from bulkmail.report.log import Form
from bulkmail.value_class import value_class

#: A word and its facts.
Word = tuple[Any, ...]


@value_class(kw_only=True)
class Outfit:
    """What a child gets ready with, while the parent still reads the list."""

    campaign: Campaign
    #: The one its secrets are looked up in.
    environ: Mapping[str, str]
    #: Which child, from 0, of how many.
    number: int
    of: int
    #: Connections of each server that are not the run's to divide.
    kept_back: int
    is_transcribed: bool
    is_verbose: bool


@value_class(kw_only=True)
class Begin:
    """What a child sends by, once the list is enrolled and checked."""

    ledger: Path
    #: How the log's lines are written.
    log_format: Form
    campaign_id: int
    #: Unlike any other's: a claim names it.
    owner: str
    #: At most so many recipients; None is all.
    limit: int | None
    #: Whether tries are told by their sums: nobody asks whose they are.
    is_summed: bool
    is_waiting: bool
    ignore_window: bool
    #: Addresses of the campaign's own suppression files.
    listed: Sequence[Listed]
    #: Addresses that get no copies either.
    suppressed: Collection[str]
