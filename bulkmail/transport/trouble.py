"""What the system and OpenSSL raise, in words: for the errors that a connection ends with."""

from __future__ import annotations

import errno
import os
import socket
import ssl

_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}


def reason_of(error: Exception) -> str:
    """What went wrong, as the system words it: asyncio's own words name addresses only."""
    is_system = isinstance(error, OSError) and not isinstance(error, ssl.SSLError | socket.gaierror)
    if is_system and isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    if isinstance(error, ConnectionResetError) and not error.args:
        # asyncio's own, of a handshake that was cut off.
        return os.strerror(errno.ECONNRESET)
    text = error.strerror if isinstance(error, OSError) else None
    return text or str(error) or type(error).__name__


def unconnected(host: str, port: int, error: Exception) -> str:
    """The sentence for a connection that did not come about; of this machine, what is amiss."""
    sentence = f"cannot connect to {host}:{port}: {reason_of(error)}"
    if host in _THIS_MACHINE and isinstance(error, ConnectionRefusedError):
        return (
            f"{sentence}: nobody listens there (`bulkmail sink` starts a server to practise with)"
        )
    return sentence


def tls_reason_of(error: ssl.SSLError) -> str:
    """What came of a handshake, and the key to look at where it is a matter of settings."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not to be trusted: {error.verify_message.rstrip('.')} "
            "(`ca_file` adds a trust anchor, `host` must be a name the certificate holds)"
        )
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return "it does not speak TLS here (`security: starttls` on port 587, `tls` on 465)"
    return f"the TLS handshake failed: {reason_of(error)}"


def is_passing(error: ssl.SSLError) -> bool:
    """Whether a handshake that failed so says nothing of the next one.

    The connection ended; or the server has trouble of its own, as RFC 8446, 6.2, has it of the
    alert `internal_error`.
    """
    return isinstance(error, ssl.SSLEOFError) or error.reason == "TLSV1_ALERT_INTERNAL_ERROR"
