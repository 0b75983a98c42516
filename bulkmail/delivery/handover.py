"""One message handed over: its transaction, its result, and the mark of who rides behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from bulkmail.delivery import classify
from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.flight import Flight
from bulkmail.delivery.judging import Judging
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import FollowedSession, Session
from bulkmail.delivery.results import Results, has_had_its_share, has_not_begun
from bulkmail.delivery.splitting import most_at_once, too_many
from bulkmail.delivery.supply import Supply
from bulkmail.delivery.turns import SlotMissed, Turns
from bulkmail.errors import BulkmailError, MessageRefusedLocally, SessionError
from bulkmail.outcome import Accepted, Outcome
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.value_class import value_class

#: Octets of a message up to which the next one is taken to be composed in no time. Files and PDFs
#: take long, and for as long nobody hears the server's answer: a crash would leave it in doubt.
QUICK = 16_384

#: What was accepted of a message that is split, and the writing of that.
Split: TypeAlias = tuple[Accepted, "asyncio.Future[Sequence[bool]]"]


class ClaimLost(BulkmailError):
    """The row was taken over while this process was paused past its lease: nothing was sent."""


@value_class
class Following:
    """Who could ride behind the message under way, and on which session."""

    session: FollowedSession
    flight: Flight

    @property
    def is_out(self) -> bool:
        """Whether its envelope went out."""
        return self.session.ahead is self.flight.mail


class Handover:
    """One worker's way of handing messages over, one at a time."""

    def __init__(
        self, lane: Lane, shared: Engagement, results: Results, turns: Turns, judging: Judging
    ) -> None:
        self._lane = lane
        self._shared = shared
        self._pipelined = lane.pipelined
        self._results = results
        self._turns = turns
        self._judging = judging

    async def hand_over(
        self,
        session: Session,
        flight: Flight,
        following: Following | None,
        supply: Supply | None,
    ) -> Split | None:
        """One transaction, and the next one's mark behind its result.

        Returns what was accepted where a split follows, with the writing of its result.
        """
        try:
            outcome = await self._send(session, flight, following, supply)
        except ClaimLost:
            self._results.done(flight.delivery)
            return None
        except SlotMissed:
            await self._results.give_back(flight.delivery)
            await self._turns.missed()
            return None
        follower = following.flight if following is not None and following.is_out else None
        if follower is not None:
            follower.is_follower = True
        is_accepted = isinstance(outcome, Accepted)
        if not is_accepted and await self._is_given_back(session, flight, outcome):
            return None
        attempt = self._results.judged(flight.tried, outcome)
        self._turns.count(attempt.at, flight.mail)
        if (split := _split_of(outcome)) is not None:
            self._lane.hold()
        # Both are one commit whenever that is: of the two rows one is marked and without a result.
        may_wait = follower is not None and follower.takes_time
        writing = self._results.write((flight.tried.delivery, attempt), may_wait=may_wait)
        if follower is not None:
            self._results.ask_for_mark(follower, may_wait=may_wait)
        if is_accepted:
            self._judging.accepted()
        else:
            await self._judging.outcome(flight.delivery, outcome, flight.began_in)
        return None if split is None else (split, writing)

    async def _is_given_back(self, session: Session, flight: Flight, outcome: Outcome) -> bool:
        """Whether it is as if it had not been tried, as another session or server may take it."""
        if self._pipelined is not None and has_had_its_share(outcome):
            self._pipelined.spend(session)
        has_begun = not (flight.is_follower and has_not_begun(outcome))
        is_word_on_it = has_begun and not flight.is_too_wide
        if is_word_on_it and not self._results.goes_elsewhere(flight.delivery, outcome):
            return False
        await self._results.give_back(flight.delivery)
        return True

    async def _send(
        self,
        session: Session,
        flight: Flight,
        following: Following | None,
        supply: Supply | None,
    ) -> Outcome:
        async def mark() -> None:
            if not await self._results.marked(flight):
                raise ClaimLost("the claim was taken over")
            flight.may_be_out = True

        check = self._turns.check
        is_quick = flight.mail.size <= QUICK
        meanwhile = supply.compose_next if supply is not None and is_quick else None
        try:
            if following is None:
                result = await session.send(flight.mail, mark, check=check, meanwhile=meanwhile)
            else:
                result = await following.session.send(
                    flight.mail,
                    mark,
                    check=check,
                    follower=following.flight.mail,
                    may_follow=partial(self._may_follow, following.flight),
                    meanwhile=meanwhile,
                )
            if isinstance(result, TransactionResult) and (most := most_at_once(result)):
                self._lane.learn_most_recipients(most)
                flight.is_too_wide = True
            return classify.of_result(result, flight.mail.left_out, flight.mail.held_back)
        except SessionError as error:
            return classify.of_session_error(error)
        except MessageRefusedLocally as error:
            await self._turns.missed()
            return classify.of_local_refusal(error)
        except asyncio.CancelledError:
            await asyncio.shield(self._results.cut(flight.tried, may_be_out=flight.may_be_out))
            if following is not None:
                await asyncio.shield(self._shared.ledger.release([following.flight.delivery]))
            raise

    def _may_follow(self, follower: Flight) -> bool:
        """Take its turn, at the moment its envelope could go out."""
        follower.began_in = self._lane.health.round
        return self._turns.take_now(follower.delivery, follower.mail)


def _split_of(outcome: Outcome) -> Accepted | None:
    """What was accepted, where others of its cc and bcc were too many for one transaction."""
    if isinstance(outcome, Accepted) and outcome.refused and too_many(outcome.refused):
        return outcome
    return None
