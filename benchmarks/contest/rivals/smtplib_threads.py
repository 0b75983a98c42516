"""The standard library's smtplib, Jinja2 and `email.message` in ten threads."""

from __future__ import annotations

import csv
import queue
import smtplib
import sys
import threading
from email.message import EmailMessage
from pathlib import Path

import jinja2


def worker(port: int, rows: queue.SimpleQueue[dict[str, str]], folder: Path) -> None:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(folder), autoescape=True)
    text = environment.get_template("letter.txt.j2")
    html = environment.get_template("letter.html.j2")
    with smtplib.SMTP("127.0.0.1", port) as client:
        while True:
            try:
                row = rows.get_nowait()
            except queue.Empty:
                return
            message = EmailMessage()
            message["From"] = "People Team <people@example.com>"
            message["To"] = f"{row['name']} <{row['email']}>"
            message["Subject"] = f"Your offer, {row['name']}"
            message.set_content(text.render(row))
            message.add_alternative(html.render(row), subtype="html")
            client.send_message(message)


def main(port: int, folder: Path, connections: int) -> None:
    rows: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
    with (folder / "list.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.put(row)
    threads = [
        threading.Thread(target=worker, args=(port, rows, folder)) for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
