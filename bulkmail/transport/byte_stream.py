"""What a conversation needs of its connection; `SmtpStream` meets it, and the tests' script."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

from bulkmail.message.files.shared_file import SharedFile
from bulkmail.smtp.stage import Stage

Bytes: TypeAlias = bytes | memoryview


class Stream(Protocol):
    """What a conversation needs of its connection."""

    @property
    def is_congested(self) -> bool:
        """Whether more content should wait until some of what was written has left."""
        ...

    @property
    def unsent(self) -> int:
        """Octets that were written and have not left this process."""
        ...

    @property
    def has_ended(self) -> bool:
        """Whether the peer has closed, and all it sent was read."""
        ...

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come that was not read, the peer's end included."""
        ...

    @property
    def local_address(self) -> str:
        """The socket's own IP address; "" where it has none."""
        ...

    @property
    def peer_address(self) -> str:
        """The server's IP address; "" where it has none."""
        ...

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """TLS's facts; None in plaintext."""
        ...

    @property
    def sends_files(self) -> bool:
        """Whether there is a `send_file`: in plaintext, where the system can."""
        ...

    def send_file(self, file: SharedFile) -> None:
        """Hand a file over, which is open. Returns at once; it is congested until that has left."""
        ...

    def write(self, chunks: Sequence[Bytes]) -> int:
        """Hand bytes over; how many. Returns at once: what is lost, reading says."""
        ...

    def peek(self) -> bytes:
        """Take what has arrived and was not read; b"" when nothing has. Never waits."""
        ...

    async def read(self, stage: Stage, deadline: float) -> bytes:
        """Wait for bytes; b"" is the peer's end. `deadline` is in the loop's time.

        Raises `StageTimeout` or `ConnectionLost`. A cancellation loses no byte.
        """
        ...

    async def read_on(
        self, stage: Stage, deadline: float, take: Callable[[bytes], tuple[Stage, float] | None]
    ) -> None:
        """Have `take` called with bytes as they come (b"": the peer's end), until it gives None.

        What else it gives is what is waited for from then on, and until when. It may write.
        Raises what it raises, and as `read` does.
        """
        ...

    async def drain_or_read(self, stage: Stage, deadline: float) -> bytes | None:
        """Wait until the connection is not congested (None) or has bytes to read (they are given).

        Raises as `read` does; b"" is the peer's end.
        """
        ...

    async def start_tls(self, context: ssl.SSLContext, deadline: float) -> None:
        """Shake hands. Raises `TlsFailed`, `StageTimeout` or `ConnectionLost`."""
        ...

    async def close(self) -> None:
        """Close in order, within a second. Never raises."""
        ...

    def abort(self) -> None:
        """Cut the connection at once. Harmless where it is closed."""
        ...
