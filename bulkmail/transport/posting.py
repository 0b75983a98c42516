"""Whole messages handed over ahead of their replies: what is posted in a row is one write."""

from __future__ import annotations

from collections import deque

from bulkmail.errors import MessageRefusedLocally, SessionError
from bulkmail.message.mail_object import MailObject
from bulkmail.transport.blocks import BLOCK_SIZE
from bulkmail.transport.content import post
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.posted import Posted, posted_for
from bulkmail.transport.trust import Trust


class Posting:
    """The side of a window that hands messages over; `Window` hears what becomes of them."""

    def __init__(self, conversation: Conversation, trust: Trust) -> None:
        self._conversation = conversation
        self._trust = trust
        self._posted: deque[Posted] = deque()
        #: Encoded, and to be posted next, in this order.
        self._prepared: deque[Posted] = deque()
        #: Of those posted, what was not handed over yet.
        self._waiting: deque[Posted] = deque()
        #: Octets of those.
        self._waiting_size = 0
        #: The reverse-path of the last one posted; None: none was.
        self._reverse_path: str | None = None
        #: What broke the session as something was handed over.
        self._cause: SessionError | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is on its way, or about to be."""
        return not self._posted

    @property
    def unsent(self) -> int:
        """How many of the last ones are surely not out: nothing of their end was handed over."""
        return sum(not posted.is_open for posted in self._posted)

    async def catch_up(self) -> None:
        """Take in what has arrived: before messages are handed over behind others."""
        if self._posted:
            await self._conversation.catch_up()

    def prepare(self, mail: MailObject) -> None:
        """Encode what is to be posted behind those prepared before; else `post` does it."""
        try:
            posted = posted_for(mail, self._conversation, is_8bit=False)
        except MessageRefusedLocally:
            return
        self._prepared.append(posted)

    def post(self, mail: MailObject, *, is_8bit: bool) -> None:
        """Have a whole message handed over, by the next `flush`.

        Raises `MessageRefusedLocally`: nothing was said then. Where the session breaks, `settle`
        tells.
        """
        while self._prepared:
            posted = self._prepared.popleft()
            if posted.mail is mail and not is_8bit:
                break
        else:
            posted = posted_for(mail, self._conversation, is_8bit=is_8bit)
        former, self._reverse_path = self._reverse_path, mail.envelope.reverse_path
        if former is not None and (former != self._reverse_path or self._trust.keeps_envelopes):
            # A server may keep the envelope whose RCPT it refused, and refuse the next MAIL, but
            # not what stands behind it (Exim): that would go out under the former reverse-path.
            posted.reset_before()
        self._posted.append(posted)
        self._waiting.append(posted)
        self._waiting_size += posted.size

    def is_full(self, size: int) -> bool:
        """Whether one with so many octets of content does not leave in one write with the rest."""
        return bool(self._waiting) and self._waiting_size + size > BLOCK_SIZE

    async def flush(self) -> None:
        """Hand over what was posted and is not yet. Where the session breaks, `settle` tells."""
        self._waiting_size = 0
        while self._waiting:
            size = self._waiting[0].size
            together = [self._waiting.popleft()]
            while self._waiting and size + self._waiting[0].size <= BLOCK_SIZE:
                size += self._waiting[0].size
                together.append(self._waiting.popleft())
            try:
                await post(self._conversation, together)
            except SessionError as error:
                self._cause = self._cause or error
