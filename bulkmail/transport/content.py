"""Content over a conversation: behind 354 with its final dot, or whole messages ahead (BDAT).

It goes out in blocks, so that what is on its way is bounded; what the server says meanwhile is
taken in, as one that refuses need not be given the rest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import TypeAlias, cast

from bulkmail.errors import ConnectionLost
from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.commands import Command
from bulkmail.smtp.reply import Reply
from bulkmail.smtp.stage import Stage
from bulkmail.transport.blocks import BLOCK_SIZE, Piece, blocks, blocks_of
from bulkmail.transport.byte_stream import Bytes
from bulkmail.transport.conversation import Conversation
from bulkmail.value_class import record_class

#: Commands and their bytes.
Group: TypeAlias = tuple[Sequence[Command], Sequence[bytes]]
#: None of them.
_NOTHING: Group = ((), ())

# Members by these names: through their class, each look takes as long as a call.
_DATA = Stage.DATA
_commands = attrgetter("commands")
_pieces = attrgetter("pieces")


def _nothing() -> Group | None:
    """Nothing rides behind the dot."""
    return None


async def pour(
    conversation: Conversation,
    pieces: Iterable[Piece],
    size_bytes: int,
    *,
    mark: Callable[[], Awaitable[None]] | None = None,
    behind: Callable[[], Group | None] = _nothing,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> Reply:
    """Send the content and the final dot, behind 354; the reply to it.

    `mark` is awaited before the block with the final dot: what is longer than a block is on its way
    meanwhile. What it raises is passed on, the connection being cut first.
    `meanwhile` is awaited behind the final dot, while the server answers.
    `behind` is asked, as the final dot is handed over, for commands that ride behind it in the
    same write (RFC 2920, 3.1); their replies are heard next. It is not asked where the content
    does not come to its end.

    A refusal that comes before the final dot was handed over ends the writing, and the session
    with it. Raises `SessionError`: of stage DATA where the final dot was surely not sent, else
    of END_OF_DATA. The content has `data_timeout`, and so has the reply behind it.
    """
    conversation.start_clock()
    is_long = size_bytes > BLOCK_SIZE
    if is_long or mark is not None or conversation.heard or not conversation.is_undisturbed:
        last = await _come_to_last(conversation, pieces, mark, is_long=is_long)
        if isinstance(last, Reply):
            return last
    else:
        last = [*cast("Iterable[bytes]", pieces)]
    commands, lines = behind() or _NOTHING
    conversation.close_content(last, size_bytes, commands, lines)
    if conversation.stream.is_congested:
        await conversation.ease()
        conversation.start_clock()
    if meanwhile is not None:
        await conversation.let_pass(meanwhile())
    reply = (await conversation.hear()).reply
    if (unsent := conversation.stream.unsent) and unsent > sum(map(len, lines)):
        _weigh(conversation, reply)
    return reply


async def _come_to_last(
    conversation: Conversation,
    pieces: Iterable[Piece],
    mark: Callable[[], Awaitable[None]] | None,
    *,
    is_long: bool,
) -> list[Bytes] | Reply:
    """Open the content, send all but its last block, and await the mark.

    The last block, or the refusal that came before.
    """
    conversation.open_content()
    last: list[Bytes] | Reply = (
        await _begin(conversation, pieces) if is_long else [*cast("Iterable[bytes]", pieces)]
    )
    if isinstance(last, Reply):
        return last
    if mark is not None:
        await _marked(conversation, mark)
    refusal = _interruption(conversation, is_begun=is_long)
    return last if refusal is None else refusal


async def _begin(conversation: Conversation, pieces: Iterable[Piece]) -> list[Bytes] | Reply:
    """Send all but the last block, which it gives; or the refusal that came before."""
    is_begun = False
    for block, is_last in blocks(pieces):
        if is_last:
            conversation.start_clock()
            return cast("list[Bytes]", block)
        if (refusal := _interruption(conversation, is_begun=is_begun)) is not None:
            return refusal
        if isinstance(block, SharedFile):
            conversation.send_file(block)
        else:
            conversation.write(block)
        is_begun = True
        if conversation.stream.is_congested:
            await conversation.ease()
    raise AssertionError("the last block is the last")


async def _marked(conversation: Conversation, mark: Callable[[], Awaitable[None]]) -> None:
    """Await the mark, which takes none of the server's time."""
    try:
        await mark()
    except BaseException:
        # The server waits for content: whatever we said now would be some.
        conversation.abort("a message was held back before the end of its content")
        raise
    conversation.start_clock()


def _interruption(conversation: Conversation, *, is_begun: bool) -> Reply | None:
    """The refusal that came before the content was complete, if one did."""
    if conversation.is_undisturbed and not conversation.heard:
        return None
    conversation.listen(_DATA)
    conversation.insist(_DATA)
    if conversation.heard:
        reply = conversation.heard.popleft().reply
        if reply.is_positive:
            # Nothing was to be accepted yet. If some of the content is there, who knows.
            conversation.early(reply, Stage.END_OF_DATA if is_begun else _DATA)
        conversation.abort(f"the server refused the content before its end: {reply}")
        return reply
    conversation.begin(_DATA)
    return None


def _weigh(conversation: Conversation, reply: Reply) -> None:
    """The server answered the final dot before that had left."""
    if reply.is_positive:
        conversation.early(reply, Stage.END_OF_DATA)
    # It would take the rest of the content for commands.
    conversation.abort(f"the server refused the content before its end: {reply}")


@record_class(eq=False)
class Parcel:
    """A whole message, to be handed over ahead of its replies."""

    #: The last of them is a BDAT.
    commands: Sequence[Command]
    #: The commands as bytes, and the content.
    pieces: Sequence[Piece]
    size: int
    #: Whether its end may be out.
    is_open: bool = False
    #: Where its end is in all that is `written`, once it is open.
    end: int = 0


async def post(conversation: Conversation, parcels: Sequence[Parcel]) -> None:
    """Hand over whole messages in one write; wait for no reply.

    Several are together no larger than a block. Replies that come meanwhile are kept to be heard.
    Raises as `Conversation.say` does, and `SessionError` where the server stops reading.
    """
    stage = parcels[0].commands[0].stage
    conversation.insist(stage)
    if conversation.stream.has_ended and conversation.dialogue.is_owed:
        # What was said before the end may not have been read yet: it is left to be heard.
        host = conversation.host
        raise ConnectionLost(f"{host}: the connection was lost", host=host, stage=stage)
    conversation.listen(stage)
    conversation.begin(stage)
    conversation.expect(list(chain.from_iterable(map(_commands, parcels))))
    end = conversation.written
    pieces = chain.from_iterable(map(_pieces, parcels))
    for block, is_last in blocks_of(pieces, sum(parcel.size for parcel in parcels)):
        if is_last:
            for parcel in parcels:
                end += parcel.size
                parcel.is_open = True
                parcel.end = end
        if isinstance(block, SharedFile):
            conversation.send_file(block)
        else:
            conversation.write(block)
        if conversation.stream.is_congested:
            await conversation.ease(is_ahead=True)
