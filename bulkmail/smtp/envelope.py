"""Who the server is told: reverse-path and forward-paths (RFC 5321, 2.3.1)."""

from __future__ import annotations

from typing import NamedTuple


class Envelope(NamedTuple):
    """Reverse-path and forward-paths, as they go onto the wire, without angle brackets.

    Domains are A-labels; a local part beyond ASCII needs SMTPUTF8 (`needs_smtputf8`).
    """

    #: "" is the null reverse-path, ``<>``.
    reverse_path: str
    #: The row's own address first, then cc and bcc.
    forward_paths: tuple[str, ...]

    @property
    def needs_smtputf8(self) -> bool:
        """Whether a path holds more than ASCII (RFC 6531)."""
        return not "".join((self.reverse_path, *self.forward_paths)).isascii()
