"""Many messages of a program's own on one session, ahead of their replies."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import starmap

from bulkmail.errors import ConnectionLost, MessageRefusedLocally, SessionError
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.stage import Stage
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.session import Session
from bulkmail.value_class import value_class

_is_ascii = bytes.isascii

#: A message, or why it is none.
Outgoing = MailObject | MessageRefusedLocally


@value_class
class Sent:
    """What became of one message of many: `result`, or `error` where there is none."""

    #: Its place among the letters, from 0.
    index: int
    result: TransactionResult | None = None
    error: SessionError | MessageRefusedLocally | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether the server took the responsibility for it."""
        return self.result is not None and self.result.is_accepted

    @property
    def is_in_doubt(self) -> bool:
        """Whether it may have been accepted all the same."""
        error = self.error
        return isinstance(error, SessionError) and error.stage == Stage.END_OF_DATA


async def send_all(
    turn: AbstractAsyncContextManager[Session], outgoing: Iterator[Outgoing]
) -> AsyncGenerator[Sent, None]:
    """Send all on the session that `turn` gives, and give each one's result in order.

    Raises `SessionError` where messages are left when the session is over.
    """
    async with turn as session:
        sending = _SendingAll(session, outgoing)
        try:
            while answered := await sending.answered():
                for sent in answered:
                    yield sent
        except BaseException:
            # Left early, or cancelled: what is on its way is owed an answer nobody waits for.
            session.abort()
            raise
        if sending.is_left_alone:
            session.abort()
            raise ConnectionLost(
                f"the session with {session.host} was over before all was sent", host=session.host
            )


def needs_8bit(mail: MailObject) -> bool:
    """Whether its content is beyond ASCII."""
    return not all(map(_is_ascii, mail.chunks))


class _SendingAll:
    """One pass over the messages. The one to come is looked at before its turn."""

    def __init__(self, session: Session, outgoing: Iterator[Outgoing]) -> None:
        self._session = session
        self._outgoing = outgoing
        self._next = next(outgoing, None)
        #: How many have their result, or are about to: it is told in the letters' order.
        self._told = 0
        #: How many were handed over ahead, and have no result yet.
        self._posted = 0

    @property
    def is_left_alone(self) -> bool:
        """Whether there are messages and no session for them."""
        return self._next is not None

    async def answered(self) -> Sequence[Sent]:
        """What is answered next, one or several; none: there is nothing to come.

        All of it is to be told before more is asked for: what goes out then goes in one write.
        """
        session = self._session
        # One whose envelope rides behind another's end is sent as it was begun.
        is_begun = session.ahead is not None
        if not (is_begun or (self._posted and session.is_answered)):
            await self._post()
        if self._posted:
            return await self._settle()
        message = self._next
        if message is None or not (is_begun or session.is_reusable):
            return ()
        # What is begun was fitted to what it is.
        is_8bit = not is_begun and isinstance(message, MailObject) and needs_8bit(message)
        return (await self._send(message, is_8bit=is_8bit),)

    async def _settle(self) -> Sequence[Sent]:
        """The oldest of those on their way, and all behind it that are accepted by now."""
        session = self._session
        self._posted -= 1
        try:
            first = await session.settle()
        except SessionError as error:
            self._told += 1
            return (Sent(self._told - 1, error=error),)
        others = session.accepted_results()
        told = list(starmap(Sent, enumerate((first, *others), self._told)))
        self._posted -= len(others)
        self._told += len(told)
        return told

    async def _post(self) -> None:
        """Hand over what may go ahead of the replies."""
        session = self._session
        if not (self._posted or session.is_reusable) or not 1 < session.window > self._posted:
            return
        await session.catch_up()
        window = session.window
        while 1 < window > self._posted:
            message = self._next
            if not isinstance(message, MailObject) or len(message.envelope.forward_paths) != 1:
                return
            if session.is_full(message):
                await session.flush()
                window = session.window
                continue
            try:
                session.post_behind(message, is_8bit=needs_8bit(message))
            except MessageRefusedLocally:
                # Its turn comes by itself, and says so.
                return
            self._posted += 1
            self._next = next(self._outgoing, None)

    async def _send(self, message: Outgoing, *, is_8bit: bool) -> Sent:
        """One by itself, with the envelope of the one to come behind it."""
        place = self._told
        self._told += 1
        self._next = follower = next(self._outgoing, None)
        if isinstance(message, MessageRefusedLocally):
            return Sent(place, error=message)
        # Its envelope has to be the same behind another message as by itself.
        if (
            not isinstance(follower, MailObject)
            or len(follower.envelope.forward_paths) != 1
            or needs_8bit(follower)
        ):
            follower = None
        try:
            result = await self._session.send(
                message, None, is_8bit=is_8bit, first_decides=False, follower=follower
            )
        except (SessionError, MessageRefusedLocally) as error:
            return Sent(place, error=error)
        return Sent(place, result)
