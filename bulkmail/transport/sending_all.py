"""Many messages of a program's own on one session, ahead of their replies."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager

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
            while (sent := await sending.next()) is not None:
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
        self._index = 0
        self._next = next(outgoing, None)
        #: Handed over ahead, the oldest first.
        self._posted: deque[int] = deque()
        #: Answered, and not told yet.
        self._results: deque[TransactionResult] = deque()

    @property
    def is_left_alone(self) -> bool:
        """Whether there are messages and no session for them."""
        return self._next is not None

    async def next(self) -> Sent | None:
        """The next result; None: there is none to come."""
        session, posted = self._session, self._posted
        # What has been answered is told first: what goes out behind it goes in one write.
        if self._results:
            return Sent(posted.popleft(), self._results.popleft())
        # One whose envelope rides behind another's end is sent as it was begun.
        is_begun = session.ahead is not None
        if not (is_begun or (posted and session.is_answered)):
            await self._post()
        if posted:
            index = posted.popleft()
            try:
                result = await session.settle()
            except SessionError as error:
                return Sent(index, error=error)
            self._results += session.accepted_results()
            return Sent(index, result)
        message = self._next
        if message is None or not (is_begun or session.is_reusable):
            return None
        # What is begun was fitted to what it is.
        is_8bit = not is_begun and isinstance(message, MailObject) and needs_8bit(message)
        return await self._send(message, is_8bit=is_8bit)

    def _taken(self) -> int:
        """The number of the next message, which is taken; the one behind it is looked at."""
        index = self._index
        self._index += 1
        self._next = next(self._outgoing, None)
        return index

    async def _post(self) -> None:
        """Hand over what may go ahead of the replies."""
        session, posted = self._session, self._posted
        if not (posted or session.is_reusable) or not 1 < session.window > len(posted):
            return
        await session.catch_up()
        window = session.window
        while 1 < window > len(posted):
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
            posted.append(self._taken())

    async def _send(self, message: Outgoing, *, is_8bit: bool) -> Sent:
        """One by itself, with the envelope of the one to come behind it."""
        index, follower = self._taken(), self._next
        if isinstance(message, MessageRefusedLocally):
            return Sent(index, error=message)
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
            return Sent(index, error=error)
        return Sent(index, result)
