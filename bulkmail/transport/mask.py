"""The mask: what a server must not make us show, should it repeat a password in its reply."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import replace

from bulkmail.smtp.reply import Reply

MASKED = "********"
#: Characters from which on a secret is looked for in every reply, and not in those to AUTH alone: a
#: short one may be a word that replies are full of.
_LONG = 6

#: A SCRAM server's last word, ``v=…`` in base64, where it rides on the 235.
_SIGNATURE = re.compile(r"\bdj[0-9][0-9A-Za-z+/]{20,}=*")


class Mask:
    """Hides secrets in replies."""

    def __init__(self) -> None:
        #: The longest first: one may be a part of another.
        self._hidden: tuple[str, ...] = ()
        #: Whether what the server says is enough to guess the password offline: SCRAM's salt,
        #: nonces and signature (RFC 5802, 9).
        self.hides_challenges = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is hidden."""
        return not (self._hidden or self.hides_challenges)

    def hide(self, text: str) -> None:
        """Hide `text` from here on, and its base64."""
        if text:
            hidden = {*self._hidden, text, b64encode(text.encode()).decode()}
            self._hidden = tuple(sorted(hidden, key=len, reverse=True))

    def later(self, reply: Reply) -> Reply:
        """`reply`, to another command than AUTH, without what is hidden."""
        for line in reply.lines:
            for text in self._hidden:
                if text in line:
                    return self._without_long(reply)
        return reply

    def _without_long(self, reply: Reply) -> Reply:
        long = [text for text in self._hidden if len(text) >= _LONG]
        return replace(reply, lines=tuple(_without(long, line) for line in reply.lines))

    def text(self, text: str) -> str:
        """`text`, which quotes what answers no command, without what is hidden."""
        return self._line(text)

    def reply(self, reply: Reply) -> Reply:
        """`reply`, to AUTH, without what is hidden."""
        if self.hides_challenges and reply.is_intermediate:
            return replace(reply, lines=(MASKED,))
        lines = tuple(map(self._line, reply.lines))
        return reply if lines == reply.lines else replace(reply, lines=lines)

    def _line(self, line: str) -> str:
        line = _without(self._hidden, line)
        return _SIGNATURE.sub(MASKED, line) if self.hides_challenges else line


def _without(hidden: Iterable[str], line: str) -> str:
    for text in hidden:
        line = line.replace(text, MASKED)
    return line
