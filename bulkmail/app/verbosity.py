"""What `--verbose` tells of a run: what it runs on, how it is divided, how servers speak."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence

from bulkmail.app.loop import loop_name
from bulkmail.app.processes.sharing import share
from bulkmail.settings import GatewaySettings, Way
from bulkmail.transport.session import Session


def outlook(servers: Sequence[Way], asked: object, processes: int) -> Iterator[str]:
    """Sentences on what a run has before it, `asked` being the processes that were asked for."""
    yield f"Event loop: {loop_name()}."
    why = "" if asked == processes else f" ({asked} asked for: as many as pay and can share)"
    yield f"Processes: {processes}{why}."
    for server in servers:
        yield f"{server.name}: {'; '.join(_facts(server, processes))}."


def _facts(server: Way, processes: int) -> Iterator[str]:
    if isinstance(server, GatewaySettings):
        yield "{}:{}".format(*server.origin)
        yield f"as {server.provider}"
    else:
        yield f"{server.host}:{server.port}"
        yield f"security {server.security.value}"
        yield f"login as {server.username}" if server.username else "no login"
    parts = " + ".join(str(share(server.connections, n, processes)) for n in range(processes))
    yield f"connections {server.connections}" + (f" = {parts}" if processes > 1 else "")
    if server.rates:
        yield f"at most {', '.join(map(str, server.rates))}"


class Modes:
    """Tells of each server how it speaks, when the first session to it is open."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._told: set[str] = set()

    async def opening(self, server: str, open_session: Callable[[], Awaitable[Session]]) -> Session:
        """Open a session, and tell of it where it is the first one."""
        session = await open_session()
        if server not in self._told:
            self._told.add(server)
            self._tell(f"{server}: {'; '.join(_manner(session))}.")
        return session


def _manner(session: Session) -> Iterator[str]:
    yield "no TLS" if session.tls is None else f"{session.tls.version}, {session.tls.cipher}"
    if session.mechanism is not None:
        yield f"login by {session.mechanism}"
    offered = session.extensions
    names = {
        "PIPELINING": offered.pipelining,
        "CHUNKING": offered.chunking,
        "8BITMIME": offered.eight_bit_mime,
        "SMTPUTF8": offered.smtputf8,
    }
    yield "offers " + (", ".join(name for name, has in names.items() if has) or "no extension")
    if offered.size:
        yield f"takes {offered.size} bytes a message"
