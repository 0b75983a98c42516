"""Faults put into the program: each takes a guard out, and the simulation has to notice.

A mutation replaces a function or a statement while it is applied. What it breaks is what the
guard is for; `FOUND` says by which seed.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any
from unittest.mock import patch

from bulkmail.app.processes import child, seats, vigil
from bulkmail.app.processes.crew import Crew
from bulkmail.app.processes.door import Door
from bulkmail.app.processes.seats import Seat, Seats
from bulkmail.campaign.units import Demand
from bulkmail.delivery import blame, classify, verdict
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.gates import Gate
from bulkmail.delivery.limiter import Limiter, Slot
from bulkmail.delivery.refusal_rule import Rule
from bulkmail.delivery.results import Results
from bulkmail.delivery.retry import Decision, RetryAt, RetryPolicy
from bulkmail.delivery.splitting import Splitting
from bulkmail.delivery.turns import Turns
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
from bulkmail.transport.posted import Posted
from bulkmail.transport.session import Session
from bulkmail.transport.transacting import Mark
from bulkmail.transport.transaction import Transaction
from bulkmail.transport.trust import Level, Trust

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
def all_claims_freed_by_a_death() -> Iterator[None]:
    """What one child's death frees is what all of the run's children have claimed."""
    real = Ledger.recover

    async def recover(self: Ledger, campaign_id: int, **how: Any) -> int:
        return await real(self, campaign_id, **(how | {"owner": None}))

    with patch.object(Ledger, "recover", recover):
        yield


@contextlib.contextmanager
def silent_child_waited_for() -> Iterator[None]:
    """A child that does not answer is asked for ever, and never killed."""
    with patch.object(vigil, "KILLED", sys.maxsize):
        yield


@contextlib.contextmanager
def dead_child_not_buried() -> Iterator[None]:
    """What a dead child had past its mark stays as it is."""

    async def bury(self: Crew, *facts: Any) -> None:
        """It will have been nothing."""

    with patch.object(Crew, "_bury", bury):
        yield


@contextlib.contextmanager
def connections_not_divided() -> Iterator[None]:
    """Every child has all the connections of the run."""
    with patch.object(child, "divided_servers", lambda servers, *_: servers):
        yield


@contextlib.contextmanager
def domains_not_divided() -> Iterator[None]:
    """Every child has all the connections that a domain may have."""
    with patch.object(child, "divided_limits", lambda limits, *_: limits):
        yield


@contextlib.contextmanager
def refused_login_not_passed_on() -> Iterator[None]:
    """A child tries a login whatever came of it for another one."""

    async def enter(self: Door, server: str, open_session: Any) -> Any:
        return await open_session()

    with patch.object(Door, "enter", enter):
        yield


@contextlib.contextmanager
def number_not_divided() -> Iterator[None]:
    """Every child may try as many recipients as the whole run."""
    with patch.object(seats, "share", lambda whole, *_: whole):
        yield


@contextlib.contextmanager
def clock_set_back_forgotten() -> Iterator[None]:
    """What a limited run has tried is counted from when it began by a clock that was set since."""
    with patch.object(Seats, "since", property(attrgetter("_began_at"))):
        yield


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


@contextlib.contextmanager
def tries_of_the_dead_forgotten() -> Iterator[None]:
    """Who replaces a dead child of a limited run may try as many as that one might."""

    async def may_go_on(self: Seats, seat: Seat, *_: Any) -> bool:
        seat.tried.clear()
        return True

    with patch.object(Seats, "may_go_on", may_go_on):
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
        all_claims_freed_by_a_death,
        silent_child_waited_for,
        dead_child_not_buried,
        connections_not_divided,
        domains_not_divided,
        refused_login_not_passed_on,
        number_not_divided,
        clock_set_back_forgotten,
        window_beyond_limits,
        quit_ahead_by_all,
        no_reset_between,
        followers_take_no_turn,
        refused_marks_ignored,
        batch_marked_by_its_first,
        batch_recorded_by_its_first,
        longest_limit_alone,
        file_left_out,
        tries_of_the_dead_forgotten,
    )
}
