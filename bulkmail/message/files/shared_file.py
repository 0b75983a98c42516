"""An encoded file that message after message carries, as the system itself can send it.

The kernel sends an open file to a socket without a copy through this process: of a large
attachment that many share, copying is nearly all the work there is. The file is a temporary one
without a name, so it is gone with this process, however that ends.
"""

from __future__ import annotations

import weakref
from typing import BinaryIO


class SharedFile:
    """One file's body. Nothing is written anywhere for what is sent once."""

    __slots__ = ("__weakref__", "_file", "_is_tried", "content", "is_known")

    def __init__(self, content: bytes) -> None:
        #: As it is encoded in each message.
        self.content = content
        self._file: BinaryIO | None = None
        #: Whether a message went out with it.
        self.is_known = False
        #: Whether it was opened, or could not be: a full disk is not tried again with each message.
        self._is_tried = False

    def __len__(self) -> int:
        return len(self.content)

    @property
    def descriptor(self) -> int:
        """An open file with the content, as long as this object lives. To be asked once `opens`."""
        if self._file is None:
            raise ValueError("it was not opened")
        return self._file.fileno()

    def opens(self) -> bool:
        """Whether `descriptor` is there: to be asked once a message. It is from the second on."""
        if self.is_known and not self._is_tried:
            self._is_tried = True
            self._open()
        self.is_known = True
        return self._file is not None

    def _open(self) -> None:
        import tempfile  # noqa: PLC0415  # for large files alone

        try:
            # Pages of a disk's cache are larger than those of memory without a disk (memfd), and
            # the kernel's work is a page's.
            file: BinaryIO = tempfile.TemporaryFile(prefix="bulkmail-", buffering=0)  # noqa: SIM115  # closed with this object
        except OSError:
            # Nowhere to write, or no descriptor is left: then it is sent as it was before.
            return
        close = weakref.finalize(self, file.close)
        try:
            rest = memoryview(self.content)
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            close()
        else:
            self._file = file
