"""What messages that went ahead of their replies came to."""

from __future__ import annotations

from bulkmail.errors import SessionError
from bulkmail.transport.session import Session


async def outcomes(session: Session, count: int) -> list[str]:
    """Of each the decisive reply, or the stage of what was raised."""
    told = []
    for _ in range(count):
        try:
            result = await session.settle()
        except SessionError as error:
            told.append(str(error.stage))
        else:
            decisive = None if result.is_accepted else result.decisive
            told.append(str(result.end_of_data if decisive is None else decisive[1]))
    return told


async def outcome(session: Session) -> str:
    """Of one the decisive reply with its stage, or the stage of what was raised."""
    try:
        result = await session.settle()
    except SessionError as error:
        return error.stage
    if result.is_accepted:
        return str(result.end_of_data)
    assert result.decisive is not None
    stage, reply = result.decisive
    return f"{stage.value}: {reply}"
