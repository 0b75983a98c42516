"""Whether a child still runs: a silent one is told of soon, and ended in the end.

Silence is counted in looks, at each of which the child is asked, and not in seconds: whoever looks
has run itself since the last one. So a machine that slept, and a parent that was stopped, find
nobody dead. A child answers while it waits for a server, a quota or the ledger. Where a disk that
its files are on is dead, it is silent, and is let be: another one would hang there as well.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from bulkmail.app.processes.member import Member
from bulkmail.clock import Clock

#: Seconds from one look to the next.
LOOK = 5.0
#: Looks that find a question unanswered until a child is told of. One may be only a little late.
TOLD = 2
#: Those until it is killed: a minute, in which its leases run out as well.
KILLED = 12


@contextlib.asynccontextmanager
async def attended(
    member: Member, clock: Clock, announce: Callable[[str], None]
) -> AsyncIterator[None]:
    """Look after a child inside. Who is silent for too long is killed, and so hears no more."""
    looking = asyncio.create_task(_look_after(member, clock, announce))
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


async def _look_after(member: Member, clock: Clock, announce: Callable[[str], None]) -> None:
    is_told = False
    while member.silence < KILLED or member.is_at_disk:
        if member.silence >= TOLD and not is_told:
            announce(_at_disk(member.pid) if member.is_at_disk else _told(member.pid))
            is_told = True
        elif is_told and not member.silence:
            announce(f"Process {member.pid} answers again.")
            is_told = False
        member.ask()
        await clock.sleep(LOOK)
    seconds = member.silence * LOOK
    announce(f"Process {member.pid} has not answered for {seconds:.0f} s: it is killed.")
    member.kill()


def _at_disk(pid: int) -> str:
    return (
        f"Process {pid} of this run has not answered for {TOLD * LOOK:.0f} s: it waits for a disk "
        "that does not answer either, and goes on when that does. The others go on."
    )


def _told(pid: int) -> str:
    return (
        f"Process {pid} of this run has not answered for {TOLD * LOOK:.0f} s: it is stopped, or "
        f"hangs. The others go on. `kill -CONT {pid}` lets it go on if it was stopped; otherwise "
        f"it is killed in {(KILLED - TOLD) * LOOK:.0f} s, and another one takes its place."
    )
