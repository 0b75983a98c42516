"""What people write first: aiosmtplib, Jinja2 and `email.message`, a queue and ten connections."""

from __future__ import annotations

import asyncio
import csv
import sys
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import jinja2


async def worker(port: int, queue: asyncio.Queue[dict[str, str]], folder: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    text = environment.get_template("letter.txt.j2")
    html = environment.get_template("letter.html.j2")
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
    async with client:
        while not queue.empty():
            row = queue.get_nowait()
            message = EmailMessage()
            message["From"] = "People Team <people@example.com>"
            message["To"] = f"{row['name']} <{row['email']}>"
            message["Subject"] = f"Your offer, {row['name']}"
            message.set_content(text.render(row))
            message.add_alternative(html.render(row), subtype="html")
            await client.send_message(message)


async def main(port: int, folder: Path, connections: int) -> None:
    queue: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    with (folder / "list.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            queue.put_nowait(row)
    await asyncio.gather(*(worker(port, queue, folder) for _ in range(connections)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
