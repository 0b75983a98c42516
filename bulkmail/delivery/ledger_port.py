"""What the engine needs of the ledger: declared here, by the consumer, as in `ports`."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Mapping, Sequence
from typing import Protocol

from bulkmail.campaign.units import Demand, Rate
from bulkmail.fate import Attempt, Delivery, Digests, Orders


class Permit(Protocol):
    """An answer to `Ledger.take`: either slots, or when to ask again."""

    @property
    def slots(self) -> Sequence[float]:
        """Epoch seconds at which one message each may be handed over; empty: none now."""
        ...

    @property
    def valid_for(self) -> float:
        """Seconds after its instant for which a slot may still be used; then it is void."""
        ...

    @property
    def again_at(self) -> float:
        """Epoch seconds at which to ask again, where there are no slots."""
        ...

    @property
    def spent(self) -> Rate | None:
        """The quota (per hour, per day) that is used up, where one is why."""
        ...

    @property
    def scope(self) -> str | None:
        """Whose turn has to be waited for, where several were asked together."""
        ...


class Slowdown(Protocol):
    """A server, or a group of domains, that gets less for now, because it asked for it."""

    @property
    def scope(self) -> str:
        """What its permits are counted under."""
        ...

    @property
    def until(self) -> float:
        """Epoch seconds at which it is forgotten."""
        ...

    def pace_at(self, now: float) -> float | None:
        """Messages per second at `now`; None: it is over."""
        ...


class Ledger(Protocol):
    """One campaign's deliveries, claimed by this run. Every method raises `LedgerError`."""

    async def divide(self, groups: Mapping[str, Collection[str]]) -> None:
        """Keep the rows of some domains apart: they are claimed by the name of their group."""
        ...

    async def claim(
        self, limit: int, among: Sequence[int] | None = None, scope: str = ""
    ) -> list[Delivery]:
        """Lease up to `limit` due deliveries to this run; with `among` only of these ids.

        Only of the group `scope`; "" are the rows of none. Fresh ones and those that were tried
        before come in turn, of each the oldest due first.
        """
        ...

    def mark(
        self,
        delivery: Delivery,
        started_at: float,
        digests: Digests | None = None,
        *,
        may_wait: bool = False,
    ) -> Awaitable[bool]:
        """Make the row `sending`, durably, and keep what is sent. False: do not send.

        The claim is no longer ours then, or its address was suppressed since it was claimed.
        `started_at` (epoch seconds) is the instant the message was composed for; the ledger keeps
        the first one as `first_attempt_at`, also over a crash. Where it `may_wait` it shares its
        commit with others that come within milliseconds, or until `hurry`.
        """
        ...

    def record(self, attempt: Attempt) -> Awaitable[bool]:
        """Write what a try came to, and end its claim. False: the claim was no longer ours.

        It is written behind a mark that was asked for before, whether or not that is awaited.
        """
        ...

    def mark_all(
        self, asked: Sequence[tuple[Delivery, float, Digests | None]]
    ) -> Awaitable[Sequence[bool]]:
        """`mark` for each of them, as one."""
        ...

    def record_all(
        self, attempts: Sequence[Attempt], *, may_wait: bool = False
    ) -> Awaitable[Sequence[bool]]:
        """`record` for each of them, as one."""
        ...

    def hurry(self) -> None:
        """Have written at once what may wait."""
        ...

    async def amend(self, delivery: Delivery, reason: str, refused: Mapping[str, str]) -> None:
        """Tell more of a delivery of ours that is `sent`: who of its cc and bcc was refused."""
        ...

    async def release(self, deliveries: Sequence[Delivery]) -> None:
        """Give claims back untried, as they were before."""
        ...

    async def postpone(self, deliveries: Sequence[Delivery], due_at: float) -> None:
        """Give claims back untried, as they were but for when they are due."""
        ...

    async def put_under(self, scope: str, deliveries: Sequence[Delivery]) -> None:
        """Give claims back untried, to be claimed by a group's name until `divide` says else."""
        ...

    async def next_due_at(self, scopes: Collection[str] | None = None) -> float | None:
        """Epoch seconds of the earliest unclaimed delivery that waits; None: nobody waits.

        Only of these groups, where they are given.
        """
        ...

    async def heed(self) -> Orders:
        """What a person ordered meanwhile; whom they put back is due by this."""
        ...

    async def renew(self) -> None:
        """Extend the lease of every claim of this run."""
        ...

    async def take(self, server: str, rates: Sequence[Rate], want: int) -> Permit:
        """Reserve up to `want` messages' permits for `server` under all of `rates`."""
        ...

    async def take_together(self, demands: Sequence[Demand]) -> Permit:
        """Reserve one message's permit under all of `demands`; the first is the server's."""
        ...

    async def give_back(self, server: str, rates: Sequence[Rate], slots: Sequence[float]) -> None:
        """Count permits that were taken and never used as unused."""
        ...

    async def slow_down(self, scope: str, full: float, reason: str) -> Slowdown:
        """Halve a pace; `full` is what it was so far, in messages per second."""
        ...

    async def slowdowns(self) -> Sequence[Slowdown]:
        """All that was learned of paces, by whichever run, and is not over."""
        ...
