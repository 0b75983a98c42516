"""A message with more recipients than a server takes at once: further transactions for the rest.

The first transaction holds the row's own address, and what became of it is recorded before
anything else is done. The others hold cc and bcc that were refused for being too many; whom they
do not reach either stays in the report as refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bulkmail.delivery import classify
from bulkmail.delivery.blame import wants_fewer
from bulkmail.delivery.engagement import Engagement
from bulkmail.delivery.lane import Lane
from bulkmail.delivery.ports import Pipelined, Session
from bulkmail.delivery.results import has_had_its_share
from bulkmail.delivery.turns import Behind, SlotMissed, Turns
from bulkmail.errors import MessageRefusedLocally, SessionError
from bulkmail.fate import Delivery
from bulkmail.message.mail_object import MailObject
from bulkmail.outcome import Accepted
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult

#: Sessions on which one further transaction is tried, as one may be over by then.
SESSIONS = 3


def too_many(refused: Mapping[str, Reply]) -> tuple[str, ...]:
    """Those who were one too many in their transaction."""
    return tuple(path for path, reply in refused.items() if wants_fewer(reply))


def within(mail: MailObject, most: int | None) -> MailObject:
    """The message for so many recipients as a server takes at once, the row's own first."""
    paths = mail.envelope.forward_paths
    if most is None or len(paths) <= most:
        return mail
    envelope = Envelope(mail.envelope.reverse_path, paths[:most])
    return replace(mail, envelope=envelope, held_back=paths[most:])


def most_at_once(result: TransactionResult) -> int | None:
    """How many it takes, where a message was refused for all as it was for too many (Exim)."""
    refusal = result.end_of_data or result.data
    if len(result.recipients) == 1 or refusal is None or refusal.is_intermediate:
        return None
    if not wants_fewer(refusal):
        return None
    taken = len(result.recipients) - len(result.refused)
    return max(1, taken if result.refused else taken // 2)


class Splitting:
    """Sends the rest of a message; for one worker."""

    def __init__(self, lane: Lane, shared: Engagement, turns: Turns) -> None:
        self._lane = lane
        self._shared = shared
        self._turns = turns

    async def send_rest(self, delivery: Delivery, mail: MailObject, first: Accepted) -> None:
        """Give the message to those of cc and bcc who were too many for its first transaction.

        The row is `sent` by then, and stays so whatever happens here.
        """
        refused, transactions = dict(first.refused), 1
        while left := too_many(refused):
            left = left[: self._lane.most_recipients]
            envelope = Envelope(mail.envelope.reverse_path, left)
            try:
                replies = await self._transaction(delivery, replace(mail, envelope=envelope))
            except SessionError as error:
                if error.stage == Stage.END_OF_DATA:
                    await self._tell_doubt(delivery, first, refused, left, error)
                return
            if replies is None:
                return
            transactions += 1
            refused = {path: reply for path, reply in refused.items() if path not in left}
            refused |= {path: reply for path, reply in replies.items() if not reply.is_positive}
            told = {path: str(reply) for path, reply in refused.items()}
            told |= dict.fromkeys(first.left_out, "suppressed")
            reason = f"accepted, in {transactions} transactions"
            if told:
                reason += f", but not for {len(told)} of cc and bcc"
            await self._shared.ledger.amend(delivery, reason, told)
            if set(too_many(refused)) >= set(left):
                # Not even one of them was taken: asking again changes nothing.
                return

    async def _tell_doubt(
        self,
        delivery: Delivery,
        first: Accepted,
        refused: Mapping[str, Reply],
        left: tuple[str, ...],
        error: SessionError,
    ) -> None:
        """They may have it: the last that was said of them, "too many", is no longer true."""
        told = {path: str(reply) for path, reply in refused.items()}
        told |= dict.fromkeys(first.left_out, "suppressed")
        told |= dict.fromkeys(left, f"in doubt: {error}")
        reason = f"accepted, but it is not known for {len(left)} of cc and bcc"
        await self._shared.ledger.amend(delivery, reason, told)

    async def _transaction(
        self, delivery: Delivery, mail: MailObject
    ) -> Mapping[str, Reply] | None:
        """What the server said to each; None: it came to no transaction.

        A session that is over, or has had its share, is no word on them: others are tried, a few.
        Raises `SessionError` where the last of those broke under way.
        """
        for left in reversed(range(SESSIONS)):
            try:
                replies, is_session_to_blame = await self._once(delivery, mail)
            except SessionError as error:
                if error.stage == Stage.END_OF_DATA or not left:
                    raise
            else:
                if not is_session_to_blame:
                    break
        return replies

    async def _once(
        self, delivery: Delivery, mail: MailObject
    ) -> tuple[Mapping[str, Reply] | None, bool]:
        """The same on one session, and whether it was for that session that it failed."""
        try:
            session = await self._turns.next(delivery, mail)
        except SessionError:
            return None, False
        if session is None or isinstance(session, Behind):
            return None, False
        self._turns.count(self._shared.clock.time(), mail)
        try:
            return await self._handed_over(session, mail)
        finally:
            await self._lane.transport.release(session)

    async def _handed_over(
        self, session: Session, mail: MailObject
    ) -> tuple[Mapping[str, Reply] | None, bool]:
        try:
            result = await session.send(
                mail, _nothing_to_mark, check=self._turns.check, first_decides=False
            )
        except SlotMissed:
            await self._turns.missed()
            return None, False
        except MessageRefusedLocally:
            return None, False
        if not isinstance(result, TransactionResult):
            return None, False
        outcome = classify.of_result(result)
        if isinstance(outcome, Accepted):
            return result.recipients, False
        is_session_to_blame = has_had_its_share(outcome)
        if is_session_to_blame and isinstance(self._lane.transport, Pipelined):
            self._lane.transport.spend(session)
        decisive = result.decisive
        if decisive is None:
            return None, is_session_to_blame
        _, reply = decisive
        refused = dict.fromkeys(mail.envelope.forward_paths, reply)
        refused |= {p: r for p, r in result.recipients.items() if not r.is_positive}
        return refused, is_session_to_blame


async def _nothing_to_mark() -> None:
    """The row was marked, and is recorded."""
