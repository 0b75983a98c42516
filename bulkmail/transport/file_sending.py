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

#: Whether the system has it.
IS_ABLE = hasattr(os, "sendfile")


class FileSending:
    """One file, until it has left or `stop` is called. Nothing else may be written meanwhile."""

    def __init__(
        self,
        file: SharedFile,
        transport: asyncio.WriteTransport,
        socket: int,
        ended: Callable[[OSError | None], None],
    ) -> None:
        """`socket` is the transport's; `ended` is called once, with what went wrong if it did.

        Raises `OSError` where no descriptor is left.
        """
        self._file = file
        self._transport = transport
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        #: Octets that have not left this process.
        self.left = len(file)
        # The loop lets nobody but the transport wait for its descriptor; this is the same socket.
        self._socket = os.dup(socket)
        self._is_over = False
        self._loop.add_writer(self._socket, self._go_on)

    def stop(self) -> None:
        """Send no more. Harmless when it is over."""
        if not self._is_over:
            self._is_over = True
            self._loop.remove_writer(self._socket)
            os.close(self._socket)

    def _go_on(self) -> None:
        if self._transport.is_closing():
            self.stop()
        elif not self._transport.get_write_buffer_size():
            self._send()

    def _send(self) -> None:
        offset = len(self._file) - self.left
        try:
            count = os.sendfile(self._socket, self._file.descriptor, offset, self.left)
        except BlockingIOError:
            return
        except ConnectionError as error:
            self._end(error)
            return
        except OSError:
            # Where the file lies, or what guards this process, does not let the system send it.
            self._transport.write(memoryview(self._file.content)[offset:])
            self.left = 0
            self._end()
            return
        self.left -= count
        if not count:
            self._end(OSError(errno.EIO, os.strerror(errno.EIO)))
        elif not self.left:
            self._end()

    def _end(self, failure: OSError | None = None) -> None:
        self.stop()
        self._ended(failure)
