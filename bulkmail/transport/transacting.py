"""A transaction's steps on a conversation: up to the content, with it, or back out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from bulkmail.smtp.commands import Command, Data, Rset
from bulkmail.smtp.reply import CLOSING, Reply
from bulkmail.smtp.states import State
from bulkmail.smtp.transparency import has_leading_dot, stuff
from bulkmail.transport.blocks import Piece, with_files
from bulkmail.transport.content import Group, pour
from bulkmail.transport.conversation import Conversation
from bulkmail.transport.transaction import Transaction
from bulkmail.transport.trust import Level

# A member by this name: through its class, each look takes as long as a call.
_LOCKSTEP = Level.LOCKSTEP
_ASK_FOR_CONTENT = Data()

#: Awaited before the end of data goes out; what it raises is passed on, and nobody gets it.
Mark = Callable[[], Awaitable[None]]
#: Awaited while the server answers the end of data: what the caller can do meanwhile.
Meanwhile = Callable[[], Awaitable[None]]


async def ask_for_content(conversation: Conversation, transaction: Transaction) -> None:
    """From MAIL to the reply to DATA, in as few round trips as is safe. Raises `SessionError`."""
    if transaction.level is _LOCKSTEP:
        commands = (*transaction.envelope, _ASK_FOR_CONTENT)
        await conversation.converse(commands, transaction.goes_on)
        return
    if not transaction.is_said:
        conversation.say(*transaction.group)
        transaction.is_said = True
    await _hear(conversation, transaction, transaction.group)
    if transaction.replies.data is None and transaction.replies.has_takers:
        conversation.say(_ASK_FOR_CONTENT)
        await _hear(conversation, transaction, (_ASK_FOR_CONTENT,))


async def _hear(
    conversation: Conversation, transaction: Transaction, group: Sequence[Command]
) -> None:
    """The replies to what was said at once."""
    heard = conversation.heard
    if not heard:
        heard.appendleft(await conversation.hear())
    if transaction.take_well(heard):
        return
    for _ in group:
        exchange = heard.popleft() if heard else await conversation.hear()
        if transaction.take(exchange):
            conversation.out_of_step(exchange)
        if exchange.reply.code == CLOSING:
            return


def give(
    conversation: Conversation,
    transaction: Transaction,
    mark: Mark | None,
    behind: Callable[[], Group | None],
    meanwhile: Meanwhile | None,
) -> Awaitable[Reply]:
    """Content, mark and final dot, with what rides `behind` it; to be awaited: the reply to it.

    What `mark` raises is passed on, the connection being cut first. Raises `SessionError`.
    """
    mail = transaction.mail
    chunks: Iterable[bytes] = mail.chunks
    if mail.has_dot_line is not False and _may_need_stuffing(mail.chunks):
        chunks = stuff(chunks)
    pieces: Iterable[Piece] = chunks
    if mail.files and conversation.stream.sends_files:
        pieces = with_files(chunks, mail.files)
    transaction.is_open = True
    return pour(conversation, pieces, mail.size, mark=mark, behind=behind, meanwhile=meanwhile)


def _may_need_stuffing(chunks: Sequence[bytes]) -> bool:
    """Whether dots have to be looked for one chunk after the other."""
    return len(chunks) != 1 or has_leading_dot(chunks[0]) or not chunks[0].endswith(b"\r\n")


async def take_back(conversation: Conversation, transaction: Transaction) -> None:
    """Leave a transaction that is not to be completed, so that the next one may begin."""
    state = conversation.dialogue.state
    if state is State.EXPECT_CONTENT and transaction.replies.is_anybody_taken:
        # MAIL was refused, RCPT taken and 354 given: a lone dot would mail an empty message.
        conversation.abort("the server took DATA behind a refused MAIL")
    elif state is State.EXPECT_CONTENT:
        # RFC 2920, 3.1: DATA may be accepted though every RCPT was refused. A lone dot, and
        # whatever is said to it, the result is the refusal.
        await pour(conversation, (), 0)
    elif state in (State.MAIL_GIVEN, State.RCPT_GIVEN):
        await conversation.exchange(Rset())
