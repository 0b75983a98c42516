"""Why a server of ours cannot listen where it is to."""

from __future__ import annotations

import errno
import os
import socket

from bulkmail.errors import ConfigurationError, Fault


def cannot_listen(host: str, port: int, error: OSError | OverflowError) -> ConfigurationError:
    """As the system words it: asyncio's own words name the address once more."""
    message = f"cannot listen on {host}:{port}: {_reason(error)}"
    return ConfigurationError(Fault(key="--host, --port", message=message))


def _reason(error: OSError | OverflowError) -> str:
    if isinstance(error, socket.gaierror):  # its numbers are not those of the system's errors
        return str(error.strerror)
    if isinstance(error, OverflowError) or error.errno is None:
        return str(error)
    free = "; --port 0 takes a free one" if error.errno == errno.EADDRINUSE else ""
    return f"{os.strerror(error.errno)}{free}"
