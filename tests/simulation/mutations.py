"""Faults put into the program: each takes a guard out, and the simulation has to notice.

A mutation replaces a function or a statement while it is applied. What it breaks is what the
guard is for; `FOUND` says by which seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any
from unittest.mock import patch

from simulation import family_mutations, window_mutations

from bulkmail.campaign.units import Demand
from bulkmail.delivery import blame, classify, verdict
from bulkmail.delivery.gates import Gate
from bulkmail.delivery.limiter import Limiter, Slot
from bulkmail.delivery.refusal_rule import Rule
from bulkmail.delivery.results import Results
from bulkmail.delivery.retry import Decision, RetryAt, RetryPolicy
from bulkmail.delivery.splitting import Splitting
from bulkmail.errors import AuthenticationFailed, ConnectionLost, SessionError
from bulkmail.fate import Attempt, Delivery
from bulkmail.ledger import Ledger, groups, limits
from bulkmail.ledger.driver import Driver
from bulkmail.ledger.jobs import Kind, T, Work
from bulkmail.ledger.limits import Permit
from bulkmail.ledger.lock import CampaignLock
from bulkmail.ledger.quota import Quota, bucket_of
from bulkmail.ledger.run import CampaignRun
from bulkmail.ledger.statements import load
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import Accepted, Blame, Outcome, TransientFailure
from bulkmail.secret import Secret
from bulkmail.settings import ServerSettings
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.transport import session, transacting
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.password import Password
from bulkmail.transport.session import Session
from bulkmail.transport.transacting import Mark
from bulkmail.transport.transaction import Transaction

Mutation = Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def _sql(former: str, new: str, *statements: str) -> Iterator[None]:
    """Statements of a run with a part of them replaced."""
    texts = dict(load("run"))
    for name in statements:
        assert former in texts[name], former
        texts[name] = texts[name].replace(former, new)

    def changed(file: str) -> Mapping[str, str]:
        return texts if file == "run" else load(file)

    with contextlib.ExitStack() as patches:
        for module in ("run", "claims", "tries"):
            patches.enter_context(patch(f"bulkmail.ledger.{module}.load", changed))
        yield


@contextlib.contextmanager
def mark_after_the_dot() -> Iterator[None]:
    """The row is marked when the content is out."""
    real = transacting.give

    async def give(to: Conversation, transaction: Transaction, mark: Mark, *rest: Any) -> Reply:
        async def nothing() -> None:
            """Nothing is marked yet."""

        reply = await real(to, transaction, nothing, *rest)
        await mark()
        return reply

    # The worker asks for the mark ahead of that: it does not here.
    with patch.object(session, "give", give), _lazy_mark():
        yield


@contextlib.contextmanager
def _lazy_mark() -> Iterator[None]:
    """A mark is asked for when it is awaited, and no sooner."""
    real = CampaignRun.mark

    async def mark(self: CampaignRun, delivery: Delivery, *rest: Any, **more: Any) -> bool:
        await self._clock.sleep(1.0)
        return await real(self, delivery, *rest, **more)

    with patch.object(CampaignRun, "mark", mark):
        yield


@contextlib.contextmanager
def mark_not_awaited() -> Iterator[None]:
    """The content goes out while the mark is on its way to the disk."""
    real = transacting.give

    async def give(to: Conversation, transaction: Transaction, mark: Mark, *rest: Any) -> Reply:
        async def nothing() -> None:
            """It will be there in time."""

        return await real(to, transaction, nothing, *rest)

    with patch.object(session, "give", give):
        yield


@contextlib.contextmanager
def mark_not_synced() -> Iterator[None]:
    """A mark is on the disk when the disk finds time for it."""
    real = CampaignRun.mark

    async def mark(self: CampaignRun, delivery: Delivery, *rest: Any, **more: Any) -> bool:
        lazy = copy.copy(self)
        lazy._driver = _Lazy(self._driver)
        return await real(lazy, delivery, *rest, **more)

    real_all = CampaignRun.mark_all

    async def mark_all(self: CampaignRun, asked: Sequence[Any]) -> list[bool]:
        lazy = copy.copy(self)
        lazy._driver = _Lazy(self._driver)
        return await real_all(lazy, asked)

    with (
        patch.object(CampaignRun, "mark", mark),
        patch.object(CampaignRun, "mark_all", mark_all),
    ):
        yield


class _Lazy:
    """A driver that syncs nothing."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def submit(self, work: Work[T], kind: Kind = Kind.WRITE) -> asyncio.Future[T]:
        return self._driver.submit(work, Kind.EARLY)

    def hurry(self) -> None:
        self._driver.hurry()

    async def close(self) -> None:
        await self._driver.close()


@contextlib.contextmanager
def told_before_synced() -> Iterator[None]:
    """Whatever is written is told of as soon as it is committed, as a claim is."""
    with patch.object(groups, "_SYNCED", ()):
        yield


@contextlib.contextmanager
def epoch_not_checked() -> Iterator[None]:
    """Marks and results are written by whoever comes."""
    fence = "AND delivery.epoch = told.epoch AND delivery.owner = told.owner"
    with _sql(fence, "", "mark", "record"):
        yield


@contextlib.contextmanager
def claim_ignores_lease() -> Iterator[None]:
    """What another has claimed may be claimed, however fresh its lease."""
    with _sql("lease_until < :now", ":now = :now", "due"):
        yield


@contextlib.contextmanager
def limiter_per_worker() -> Iterator[None]:
    """Every run has the limits to itself."""
    real = CampaignRun.take

    async def take(self: CampaignRun, server: str, *rest: Any) -> Permit:
        return await real(self, f"{server} of {self._owner}", *rest)

    with patch.object(CampaignRun, "take", take):
        yield


@contextlib.contextmanager
def slots_never_void() -> Iterator[None]:
    """A permit is used however late."""
    real = Limiter.next

    async def later(self: Limiter, *domains: Any) -> Any:
        slot = await real(self, *domains)
        return replace(slot, void_at=float("inf")) if isinstance(slot, Slot) else slot

    with patch.object(Limiter, "next", later):
        yield


@contextlib.contextmanager
def quota_not_summed() -> Iterator[None]:
    """A quota looks at its last bucket alone."""

    def admits(self: Quota, slot: float) -> bool:
        return self._used.get(bucket_of(slot, self.rate), 0) < self.rate.count

    with patch.object(Quota, "admits", admits):
        yield


@contextlib.contextmanager
def retry_without_cap() -> Iterator[None]:
    """Whoever is deferred is tried for ever."""

    def decide(self: RetryPolicy, **facts: Any) -> Decision:
        return RetryAt(facts["now"] + self.delay(facts["attempts"]))

    with patch.object(RetryPolicy, "decide", decide):
        yield


@contextlib.contextmanager
def retry_at_once() -> Iterator[None]:
    """The ledger gives out who is deferred without a look at the time."""
    with _sql("due_at <= :now", ":now = :now", "due"):
        yield


@contextlib.contextmanager
def closing_is_the_recipients() -> Iterator[None]:
    """421 is the recipient's fault, and for good."""
    rules = (
        Rule(blame=Blame.RECIPIENT, is_transient=False, codes=frozenset({421})),
        *blame.RULES,
    )
    # Nor are its judgements those that are kept.
    judge = blame.judge.__wrapped__
    with patch.object(blame, "RULES", rules), patch.object(classify, "judge", judge):
        yield


@contextlib.contextmanager
def recover_forgotten() -> Iterator[None]:
    """A new run does not look at what the last one left."""

    async def recover(self: Ledger, campaign_id: int, **how: Any) -> int:
        return 0

    with patch.object(Ledger, "recover", recover):
        yield


@contextlib.contextmanager
def doubt_resent_twice() -> Iterator[None]:
    """A doubt is resent as often as it comes."""

    def in_doubt(tried: Any, *rest: Any) -> Attempt:
        return real(replace(tried, delivery=replace(tried.delivery, doubts=0)), *rest)

    real = verdict._in_doubt
    with patch.object(verdict, "_in_doubt", in_doubt):
        yield


@contextlib.contextmanager
def doubt_taken_for_failure() -> Iterator[None]:
    """A connection lost behind the dot is one more that was lost."""

    def judged(error: SessionError) -> Outcome:
        return TransientFailure(
            blame=Blame.SESSION, stage=Stage.END_OF_DATA, reply=None, reason="lost", is_counted=True
        )

    with patch.object(classify, "of_session_error", judged):
        yield


@contextlib.contextmanager
def silence_taken_for_consent() -> Iterator[None]:
    """A connection lost behind the dot: it will have been taken."""
    real = classify.of_session_error

    def judged(error: SessionError) -> Outcome:
        if error.stage == Stage.END_OF_DATA:
            return Accepted(reply=Reply(250, ("surely",)))
        return real(error)

    with patch.object(classify, "of_session_error", judged):
        yield


@contextlib.contextmanager
def sending_row_released() -> Iterator[None]:
    """A cut gives back what is past its mark."""
    real = Results.cut

    async def cut(self: Results, tried: Any, **facts: Any) -> None:
        await real(self, tried, **(facts | {"may_be_out": False}))

    with patch.object(Results, "cut", cut):
        yield


@contextlib.contextmanager
def message_id_by_try() -> Iterator[None]:
    """Every try has a Message-ID of its own."""
    from simulation.sender import Sender  # noqa: PLC0415  # the composer of the simulation

    real = Sender.compose

    async def compose(self: Sender, delivery: Delivery, instant: Any) -> MailObject:
        other = delivery.message_id.replace("@", f".{delivery.epoch}@")
        return await real(self, replace(delivery, message_id=other), instant)

    with patch.object(Sender, "compose", compose):
        yield


@contextlib.contextmanager
def refused_login_tried_again() -> Iterator[None]:
    """A refused login is taken for a connection that was lost."""
    real = Session.open

    async def opened(settings: ServerSettings, **facts: Any) -> Session:
        try:
            return await real(settings, **facts)
        except AuthenticationFailed as error:
            raise ConnectionLost(str(error)) from error

    async def refuse(
        self: Password, tried: Secret, refusal: AuthenticationFailed, *, is_last: bool = False
    ) -> bool:
        """It is forgotten."""
        return False

    with patch.object(Session, "open", opened), patch.object(Password, "refuse", refuse):
        yield


@contextlib.contextmanager
def lock_not_taken() -> Iterator[None]:
    """Two runs of one campaign may go on at once."""

    def acquire(self: CampaignLock) -> None:
        """It is as good as held."""

    with patch.object(CampaignLock, "acquire", acquire):
        yield


@contextlib.contextmanager
def result_not_written() -> Iterator[None]:
    """One result in fifty is forgotten."""
    real = CampaignRun.record_all

    async def record_all(self: CampaignRun, attempts: Sequence[Attempt], **more: Any) -> list[bool]:
        kept = [attempt for attempt in attempts if attempt.delivery_id % 50]
        are_ours = dict(
            zip((a.delivery_id for a in kept), await real(self, kept, **more), strict=True)
        )
        return [are_ours.get(attempt.delivery_id, True) for attempt in attempts]

    with patch.object(CampaignRun, "record_all", record_all):
        yield


@contextlib.contextmanager
def domains_not_counted() -> Iterator[None]:
    """Limits by domain decide who is claimed, and take no permits."""
    with patch.object(Gate, "demand", lambda self, _: Demand(self.scope, (), 1)):
        yield


@contextlib.contextmanager
def copies_not_counted() -> Iterator[None]:
    """Of a message's recipients one alone counts against the limit of a domain."""
    real = Gate.demand
    with patch.object(Gate, "demand", lambda self, _: real(self, 1)):
        yield


@contextlib.contextmanager
def refused_copies_forgotten() -> Iterator[None]:
    """Who of cc and bcc was refused is not written down."""
    real = CampaignRun.record_all

    async def record_all(self: CampaignRun, attempts: Sequence[Attempt], **more: Any) -> list[bool]:
        kept = [replace(one, refused_recipients={}) for one in attempts]
        return await real(self, kept, **more)

    with patch.object(CampaignRun, "record_all", record_all):
        yield


@contextlib.contextmanager
def rest_is_sent_to_all() -> Iterator[None]:
    """What is left of a message that was split goes to all of its recipients again."""
    real = Splitting._transaction

    async def transaction(self: Splitting, delivery: Delivery, mail: MailObject) -> Any:
        paths = dict.fromkeys((delivery.address, *mail.envelope.forward_paths))
        envelope = mail.envelope._replace(forward_paths=tuple(paths))
        return await real(self, delivery, replace(mail, envelope=envelope))

    with patch.object(Splitting, "_transaction", transaction):
        yield


@contextlib.contextmanager
def over_for_who_is_shut_out() -> Iterator[None]:
    """A run is over when nobody waits but those whose domain has no time."""
    real = CampaignRun.next_due_at

    async def next_due_at(self: CampaignRun, scopes: Any = None) -> float | None:
        return None if scopes is not None and "" not in scopes else await real(self, scopes)

    with patch.object(CampaignRun, "next_due_at", next_due_at):
        yield


@contextlib.contextmanager
def longest_limit_alone() -> Iterator[None]:
    """Of a server's limits the one over the longest time holds, and no other."""
    real = limits._limits_of

    def limits_of(connection: Any, demand: Demand, *instants: float) -> Any:
        rates = sorted(demand.rates, key=attrgetter("window"))[-1:]
        return real(connection, replace(demand, rates=tuple(rates)), *instants)

    with patch.object(limits, "_limits_of", limits_of):
        yield


@contextlib.contextmanager
def file_left_out() -> Iterator[None]:
    """Where the system would send a file, nobody does."""

    def with_files(chunks: Iterable[bytes], files: Sequence[Any]) -> Iterable[bytes]:
        return itertools.islice(chunks, 2) if files else chunks

    with patch.object(transacting, "with_files", with_files):
        yield


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        mark_after_the_dot,
        mark_not_awaited,
        mark_not_synced,
        told_before_synced,
        epoch_not_checked,
        claim_ignores_lease,
        limiter_per_worker,
        slots_never_void,
        quota_not_summed,
        retry_without_cap,
        retry_at_once,
        closing_is_the_recipients,
        recover_forgotten,
        doubt_resent_twice,
        doubt_taken_for_failure,
        silence_taken_for_consent,
        sending_row_released,
        message_id_by_try,
        refused_login_tried_again,
        lock_not_taken,
        result_not_written,
        domains_not_counted,
        copies_not_counted,
        refused_copies_forgotten,
        rest_is_sent_to_all,
        over_for_who_is_shut_out,
        family_mutations.all_claims_freed_by_a_death,
        family_mutations.silent_child_waited_for,
        family_mutations.dead_child_not_buried,
        family_mutations.connections_not_divided,
        family_mutations.domains_not_divided,
        family_mutations.refused_login_not_passed_on,
        family_mutations.number_not_divided,
        family_mutations.clock_set_back_forgotten,
        window_mutations.window_beyond_limits,
        window_mutations.quit_ahead_by_all,
        window_mutations.no_reset_between,
        window_mutations.followers_take_no_turn,
        window_mutations.refused_marks_ignored,
        window_mutations.batch_marked_by_its_first,
        window_mutations.batch_recorded_by_its_first,
        longest_limit_alone,
        file_left_out,
        family_mutations.tries_of_the_dead_forgotten,
    )
}
