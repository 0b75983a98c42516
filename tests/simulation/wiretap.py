"""What a client writes on one connection, told apart: commands, and content with its end."""

from __future__ import annotations

import re
from collections.abc import Iterator

_RCPT = re.compile(rb"RCPT TO:<([^>]*)>")
_END = b"\r\n.\r\n"
#: What comes behind a DATA that was refused, and never begins a message of the simulation.
_COMMANDS = (b"MAIL FROM:", b"RSET\r\n", b"QUIT\r\n")


class Wiretap:
    """Hears one connection, from our end of it."""

    def __init__(self) -> None:
        self._heard = b""
        self._is_content = False
        #: Octets of a BDAT chunk that are to come, and whether it is the last.
        self._chunk = 0
        self._is_last = False

    def hear(self, octets: bytes) -> Iterator[tuple[str, str]]:
        """What these bytes are: ``mail``, ``rcpt`` with its address, ``dot`` or ``quit``."""
        self._heard += octets
        while self._heard:
            before = self._heard, self._is_content
            if self._chunk:
                yield from self._hear_chunk()
            elif self._is_content:
                yield from self._hear_content()
            else:
                yield from self._hear_command()
            if (self._heard, self._is_content) == before:
                return

    def _hear_command(self) -> Iterator[tuple[str, str]]:
        line, found, rest = self._heard.partition(b"\r\n")
        if not found:
            return
        self._heard = rest
        verb = line[:4]
        if verb == b"MAIL":
            yield "mail", ""
        elif address := _RCPT.match(line):
            yield "rcpt", address[1].decode()
        elif verb == b"DATA":
            self._is_content = True
        elif verb == b"QUIT":
            yield "quit", ""
        elif verb == b"BDAT":
            _, size, *last = line.split()
            self._chunk, self._is_last = int(size), bool(last)
            if not self._chunk and self._is_last:
                yield "dot", ""

    def _hear_content(self) -> Iterator[tuple[str, str]]:
        if self._heard.startswith(_COMMANDS):
            self._is_content = False
            return
        _, found, rest = (b"\r\n" + self._heard).partition(_END)
        if found:
            self._heard, self._is_content = rest, False
            yield "dot", ""
        elif len(self._heard) > len(_END):
            # An end that was begun stays; no command is mistaken for the middle of a line.
            self._heard = b"." + self._heard[1 - len(_END) :]

    def _hear_chunk(self) -> Iterator[tuple[str, str]]:
        taken = min(self._chunk, len(self._heard))
        self._heard = self._heard[taken:]
        self._chunk -= taken
        if not self._chunk and self._is_last:
            yield "dot", ""
