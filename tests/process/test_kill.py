"""SIGKILL at random moments: nobody is lost, and only who was in doubt gets a second copy."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from process.recording_server import RecordingServer, recording_server

RECIPIENTS = 2000
KILLS = 20
CONNECTIONS = 4
#: Commands of one message: MAIL, RCPT, DATA and its end.
COMMANDS = 4
#: No kill comes later than this share of the list, so that what is in doubt is sent again in peace:
#: a second doubt about one row would hold it for a person, as the contract says.
SHARE = 0.8

CAMPAIGN = """
from: "People <people@example.com>"
to: "{{{{ name }}}} <{{{{ email }}}}>"
subject: "Number {{{{ number }}}}"
text: letter.txt.j2
recipients: list.csv
servers:
  - host: 127.0.0.1
    port: {port}
    security: none
    connections: {connections}
    messages_per_connection: 0
retry:
  backoff: 100ms
"""


def write_project(folder: Path, port: int, more: str = "") -> Path:
    (folder / "templates").mkdir()
    (folder / "templates" / "letter.txt.j2").write_text("Hello {{ name }}.\n", "utf-8")
    (folder / "campaigns").mkdir()
    rows = (f"{n},reader{n}@example.com,Reader {n}\n" for n in range(RECIPIENTS))
    (folder / "campaigns" / "list.csv").write_text("number,email,name\n" + "".join(rows), "utf-8")
    campaign = folder / "campaigns" / "kill.yaml"
    campaign.write_text(CAMPAIGN.format(port=port, connections=CONNECTIONS) + more, "utf-8")
    return campaign


async def start(campaign: Path, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bulkmail", "send", str(campaign), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run_and_kill(campaign: Path, server: RecordingServer, dice: random.Random) -> None:
    """One run, struck at a random command; one in five at a random instant of its start."""
    process = await start(campaign, "--quiet")
    patience = dice.uniform(0.0, 1.0) if dice.random() < 0.2 else 60.0
    most = int(RECIPIENTS * SHARE / KILLS) * COMMANDS
    server.after(dice.randrange(1, most), process.kill)
    try:
        async with asyncio.timeout(patience):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):  # struck at that instant
            process.kill()
    _, errors = await process.communicate()
    server.after(0, lambda: None)
    assert process.returncode == -9, errors.decode()


async def run_to_the_end(campaign: Path, *, expected_code: int = 0) -> dict[str, Any]:
    process = await start(campaign, "--json", "--quiet")
    output, errors = await process.communicate()
    assert process.returncode == expected_code, errors.decode()
    summary: dict[str, Any] = json.loads(output.splitlines()[-1])
    return summary


def unanswered(server: RecordingServer) -> set[str]:
    """Who came last on a connection: the only ones whose 250 may not have been recorded."""
    last = {arrival.connection: arrival.recipient for arrival in server.arrivals}
    return set(last.values())


async def test_killed_twenty_times_a_campaign_loses_nobody_and_doubles_only_doubts(
    tmp_path: Path,
) -> None:
    seed = random.SystemRandom().randrange(2**32)
    dice = random.Random(seed)
    async with recording_server() as server:
        campaign = write_project(tmp_path, server.port)

        for _ in range(KILLS):
            await run_and_kill(campaign, server, dice)
        in_doubt = unanswered(server)
        summary = await run_to_the_end(campaign)

    copies = Counter(arrival.recipient for arrival in server.arrivals)
    twice = {recipient for recipient, count in copies.items() if count > 1}
    message_ids = {(arrival.recipient, arrival.message_id) for arrival in server.arrivals}
    assert len(copies) == RECIPIENTS, f"seed {seed}"
    assert summary["sent"] == summary["total"] == RECIPIENTS, f"seed {seed}: {summary}"
    assert max(copies.values()) <= 2, f"seed {seed}"
    assert twice <= in_doubt, f"seed {seed}"
    assert len(twice) <= KILLS * CONNECTIONS, f"seed {seed}"
    assert len(message_ids) == RECIPIENTS, f"seed {seed}: a second copy has another Message-ID"


async def test_held_doubts_are_never_sent_again_however_often_it_is_killed(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(2**32)
    dice = random.Random(seed)
    async with recording_server() as server:
        campaign = write_project(tmp_path, server.port, "on_doubt: hold\n")

        for _ in range(KILLS // 2):
            await run_and_kill(campaign, server, dice)
        summary = await run_to_the_end(campaign, expected_code=1)

    recipients = [arrival.recipient for arrival in server.arrivals]
    assert len(set(recipients)) == len(recipients), f"seed {seed}: somebody has two"
    assert summary["sent"] + summary["in_doubt"] == RECIPIENTS, f"seed {seed}: {summary}"
    assert summary["sent"] <= len(recipients), f"seed {seed}: sent, and the server has it not"
    assert 0 < summary["in_doubt"] <= KILLS // 2 * CONNECTIONS, f"seed {seed}: {summary}"
