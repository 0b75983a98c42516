"""`SMTPClient` with ready messages: PORT MESSAGES CONNECTIONS [--uvloop]."""

from __future__ import annotations

import asyncio
import contextlib
import sys

from bulkmail import SMTPClient
from bulkmail.transport.client import Letter

_HEAD = "From: people@example.com\r\nTo: reader{n}@example.com\r\nSubject: hello\r\n\r\n"
_LINE = "Nothing to see in this line of a message of two kilobytes.\r\n"


def _content(n: int) -> bytes:
    head = _HEAD.format(n=n)
    return (head + _LINE * ((2048 - len(head)) // len(_LINE))).encode()


def _letters(numbers: range) -> list[Letter]:
    return [("people@example.com", [f"reader{n}@example.com"], _content(n)) for n in numbers]


async def _worker(port: int, letters: list[Letter]) -> None:
    async with (
        SMTPClient("127.0.0.1", port, security="none") as client,
        contextlib.aclosing(client.send_all(letters)) as all_sent,
    ):
        async for sent in all_sent:
            if sent.error is not None:
                raise sent.error


async def _main(port: int, messages: int, connections: int) -> None:
    made = [_letters(range(first, messages, connections)) for first in range(connections)]
    async with asyncio.TaskGroup() as tasks:
        for letters in made:
            tasks.create_task(_worker(port, letters))


if __name__ == "__main__":
    factory = None
    if "--uvloop" in sys.argv:
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_main(*(int(word) for word in sys.argv[1:4])))
