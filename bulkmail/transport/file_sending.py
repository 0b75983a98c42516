"""A file on its way to a socket, sent by the system itself (sendfile).

asyncio's own `loop.sendfile` stops reading meanwhile, so that a refusal in the middle of the
content would not be heard, and uvloop has none. This one goes on whenever the socket has room,
beside asyncio's reader and behind all that its writer was given before.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable

from bulkmail.message.files.shared_file import SharedFile
from bulkmail.transport.inbox import InboxProtocol

#: Whether the system has it.
IS_ABLE = hasattr(os, "sendfile")
#: Octets that the transport is given where the socket is full: it tells when they have left.
_PROBE = 16_384


class FileSending:
    """One file, until it has left or `stop` is called. Nothing else may be written meanwhile.

    A server at hand reads as fast as this sends: most of a file goes at once. Where the socket is
    full the next few octets are the transport's, which waits for room: to wait with a descriptor of
    our own beside it costs as much as to send a megabyte.
    """

    def __init__(
        self,
        file: SharedFile,
        transport: asyncio.WriteTransport,
        socket: int,
        protocol: InboxProtocol,
        ended: Callable[[OSError | None], None],
    ) -> None:
        """`socket` and `protocol` are the transport's, whose limits are ours meanwhile.

        `ended` is called once, with what went wrong if it did.
        """
        self._file = file
        self._transport = transport
        self._socket = socket
        self._protocol = protocol
        self._ended = ended
        #: Octets that have not left this process, but for what the transport has.
        self.left = len(file)

    def begin(self, head: bytes) -> None:
        """Send `head` and the file, as there is room. It may have `ended` when this returns."""
        self._protocol.on_room = self._go_on
        # It tells of room when all it had has left.
        self._transport.set_write_buffer_limits(high=0)
        if head:
            self._transport.write(head)
        self._go_on()

    def stop(self) -> None:
        """Send no more. Harmless when it is over."""
        self._protocol.on_room = None

    def _go_on(self) -> None:
        transport, protocol = self._transport, self._protocol
        while protocol.on_room is not None and not transport.get_write_buffer_size():
            if transport.is_closing():
                return
            self._send()

    def _send(self) -> None:
        offset = len(self._file) - self.left
        try:
            count = os.sendfile(self._socket, self._file.descriptor, offset, self.left)
        except BlockingIOError:
            self._give(_PROBE)
            return
        except ConnectionError as error:
            self._end(error)
            return
        except OSError:
            # Where the file lies, or what guards this process, does not let the system send it.
            self._give(self.left)
            return
        self.left -= count
        if not count:
            self._end(OSError(errno.EIO, os.strerror(errno.EIO)))
        elif self.left:
            self._give(_PROBE)
        else:
            self._end()

    def _give(self, count: int) -> None:
        """Have the transport send the next few."""
        offset = len(self._file) - self.left
        self.left -= min(count, self.left)
        self._transport.write(memoryview(self._file.content)[offset : offset + count])
        if not self.left:
            self._end()

    def _end(self, failure: OSError | None = None) -> None:
        self.stop()
        self._ended(failure)
