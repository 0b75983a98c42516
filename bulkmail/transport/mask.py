"""The mask: what a server must not make us show, should it repeat a password in its reply."""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import replace

from bulkmail.smtp.reply import Reply

MASKED = "********"


#: A SCRAM server's last word, ``v=…`` in base64, where it rides on the 235.
_SIGNATURE = re.compile(r"\bdj[0-9][0-9A-Za-z+/]{20,}=*")


class Mask:
    """Hides secrets in replies."""

    def __init__(self) -> None:
        self._hidden: set[str] = set()
        #: Whether what the server says is enough to guess the password offline: SCRAM's salt,
        #: nonces and signature (RFC 5802, 9).
        self.hides_challenges = False

    def hide(self, text: str) -> None:
        """Hide `text` from here on, and its base64."""
        if text:
            self._hidden |= {text, b64encode(text.encode()).decode()}

    def reply(self, reply: Reply) -> Reply:
        """`reply` without what is hidden."""
        if self.hides_challenges and reply.is_intermediate:
            return replace(reply, lines=(MASKED,))
        lines = tuple(map(self._line, reply.lines))
        return reply if lines == reply.lines else replace(reply, lines=lines)

    def _line(self, line: str) -> str:
        # The longest first: one may be a part of another.
        for text in sorted(self._hidden, key=len, reverse=True):
            line = line.replace(text, MASKED)
        return _SIGNATURE.sub(MASKED, line) if self.hides_challenges else line
