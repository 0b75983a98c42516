"""What was delivered, fetched over IMAP."""

from __future__ import annotations

import imaplib

from peers.dovecot import PASSWORD, Dovecot


def fetch_all(dovecot: Dovecot, user: str) -> list[bytes]:
    """Every message in the user's inbox, headers included, lines ended by CRLF."""
    with imaplib.IMAP4("127.0.0.1", dovecot.imap_port, timeout=30) as imap:
        imap.login(user, PASSWORD)
        _, (count, *_) = imap.select("INBOX", readonly=True)
        if count == b"0":
            return []
        _, parts = imap.fetch("1:*", "(BODY.PEEK[])")
        return [part[1] for part in parts if isinstance(part, tuple)]
