"""Guards of messages that go ahead of their replies, taken out: see `mutations`."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any
from unittest.mock import patch

from bulkmail.delivery.flight import Flight
from bulkmail.delivery.turns import Turns
from bulkmail.fate import Attempt
from bulkmail.ledger.run import CampaignRun
from bulkmail.transport.posted import Posted
from bulkmail.transport.trust import Level, Trust


@contextlib.contextmanager
def window_beyond_limits() -> Iterator[None]:
    """Messages go ahead of their replies whatever limit holds them back."""

    def free_of(self: Turns, flights: Sequence[Flight]) -> int:
        def is_free(flight: Flight) -> bool:
            is_plain = len(flight.mail.envelope.forward_paths) == 1 and not flight.delivery.doubts
            return is_plain and self._may_begin(flight.delivery)

        return sum(1 for _ in itertools.takewhile(is_free, flights))

    with patch.object(Turns, "free_of", free_of), patch.object(Turns, "check_free", lambda _: None):
        yield


@contextlib.contextmanager
def quit_ahead_by_all() -> Iterator[None]:
    """Every connection says QUIT ahead, whether or not the server is known to bear it."""

    def may_quit_ahead(self: Trust) -> bool:
        return self.level is Level.WINDOW and self.is_proven(Level.WINDOW)

    with patch.object(Trust, "may_quit_ahead", may_quit_ahead):
        yield


@contextlib.contextmanager
def no_reset_between() -> Iterator[None]:
    """Messages of different reverse-paths go ahead without RSET, as though all forgot envelopes."""

    def reset_before(self: Posted) -> None:
        """It will have forgotten."""

    with patch.object(Posted, "reset_before", reset_before):
        yield


@contextlib.contextmanager
def followers_take_no_turn() -> Iterator[None]:
    """Who rides behind a final dot goes without a slot."""
    with patch.object(Turns, "take_now", lambda self, delivery, _: self._may_begin(delivery)):
        yield


@contextlib.contextmanager
def refused_marks_ignored() -> Iterator[None]:
    """Of a batch all are handed over, whatever the ledger says to their marks."""
    real = CampaignRun.mark_all

    async def mark_all(self: CampaignRun, asked: Sequence[Any]) -> list[bool]:
        return [True for _ in await real(self, asked)]

    with patch.object(CampaignRun, "mark_all", mark_all):
        yield


@contextlib.contextmanager
def batch_marked_by_its_first() -> Iterator[None]:
    """Of a batch the first alone is marked."""
    real = CampaignRun.mark_all

    async def mark_all(self: CampaignRun, asked: Sequence[Any]) -> list[bool]:
        return [*await real(self, asked[:1]), *(True for _ in asked[1:])]

    with patch.object(CampaignRun, "mark_all", mark_all):
        yield


@contextlib.contextmanager
def batch_recorded_by_its_first() -> Iterator[None]:
    """Of a batch the first result alone is written."""
    real = CampaignRun.record_all

    async def record_all(self: CampaignRun, attempts: Sequence[Attempt], **more: Any) -> list[bool]:
        return [*await real(self, attempts[:1], **more), *(True for _ in attempts[1:])]

    with patch.object(CampaignRun, "record_all", record_all):
        yield
