"""The half of a session that has whole messages on their way ahead of their replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.trust import Trust
from bulkmail.transport.window import Window


class SessionAhead:
    """Messages posted on a session, and what became of them, in order."""

    def __init__(self, conversation: Conversation, trust: Trust, window: int) -> None:
        self._conversation = conversation
        self._trust = trust
        self._window = Window(conversation, trust, window)
        #: Transactions begun.
        self.transactions = 0

    @property
    def window(self) -> int:
        """How many messages may be on their way at once by `post`; 1: none, use `send`."""
        return self._window.size

    @property
    def unsent(self) -> int:
        """How many of the last that were posted are surely not out."""
        return self._window.unsent

    async def catch_up(self) -> None:
        """Take in what the server has said by now: to be called before a number of `post`.

        It may have closed, and `window` is 0 then.
        """
        await self._window.catch_up()

    def prepare(self, mail: MailObject) -> None:
        """Encode a message that is to be posted next, or behind others that were prepared."""
        self._window.prepare(mail)

    async def post(
        self, mail: MailObject, *, is_8bit: bool = False, check: Callable[[], None] | None = None
    ) -> None:
        """Hand over a whole message for one recipient (BDAT, RFC 3030) and wait for no reply.

        It goes out with those that are posted next, in one write, by `flush` or `settle` at the
        latest. Its end may be out from here on: what marks it is to be durable. `settle` gives the
        result, in the order of the calls, also where the session breaks here. `check` as for
        `send`, and it is to hold until the bytes go.
        Raises `MessageRefusedLocally`, nothing having been said, and what `check` raises.
        """
        if self.is_full(mail):
            # To write much takes its time, in which what `check` asks may change.
            await self._window.flush()
        if check is not None:
            check()
        self.post_behind(mail, is_8bit=is_8bit)

    def post_behind(self, mail: MailObject, *, is_8bit: bool) -> None:
        """As `post`, where it is not `is_full`. Raises `MessageRefusedLocally`."""
        self._window.post(mail, is_8bit=is_8bit)
        self.transactions += 1

    def is_full(self, mail: MailObject) -> bool:
        """Whether what was posted goes out first, were this one posted behind it."""
        return self._window.is_full(mail.size)

    async def flush(self) -> None:
        """Hand over what was posted and is not yet. Where the session breaks, `settle` tells."""
        await self._window.flush()

    async def leave(self) -> None:
        """As `flush`, and nothing more is to be posted: QUIT rides behind where it may.

        A round trip less to the end of the session. `window` is 0 then.
        """
        await self._window.leave()

    @property
    def has_left(self) -> bool:
        """Whether QUIT is out already, and all before it has its result: `quit` is to follow."""
        return self._window.has_left

    @property
    def is_answered(self) -> bool:
        """Whether `settle` would not wait."""
        return self._window.is_answered

    async def settle(self) -> TransactionResult:
        """The result of the message that was posted first and has none yet.

        Raises `SessionError`: of stage ``end of data`` where that message may have been taken,
        ``mail`` where it was surely not. A cancellation cuts the connection.
        """
        return await self._window.settle()

    @property
    def is_in_question(self) -> bool:
        """Whether the last result of `settle` is a refusal that may be of BDAT: DATA will tell."""
        return self._window.is_in_question

    def accepted(self) -> Sequence[Reply]:
        """The replies to the ends of the oldest of them that are known to be plainly accepted.

        Of those there is no more to tell: they are done with.
        """
        return self._window.accepted()

    def accepted_results(self) -> Sequence[TransactionResult]:
        """The same, as `settle` gives them."""
        return self._window.accepted_results()
