"""What mark and record cost: a campaign's throughput against that of a ledger that forgets.

Each round sends one campaign three times, each time by a process of its own and into a ledger of
its own: with a ledger that forgets what it is told while it sends (it claims, and neither marks
nor records), with `durability: process`, and with `power`. The server says yes to everything.
Printed are the medians over the rounds of what each costs against the round's forgetful run; the
exit code is 1 where `process` costs more than 15 %.

    python -m benchmarks.recording [--rounds 7] [--recipients 3000] [--connections 8]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from benchmarks import sample
from benchmarks.answering import answering
from bulkmail import Campaign, SendOptions, send
from bulkmail.ledger import CampaignRun

ALLOWED = 0.15
WANTED = 0.08
FORGETS = "forgets"
MODES = (FORGETS, "process", "power")
#: Seconds of the clock and of the processor that sending took.
Took = tuple[float, float]


def _forgets(*_: object) -> asyncio.Future[bool]:
    """Forget it."""
    forgotten = asyncio.get_running_loop().create_future()
    forgotten.set_result(True)
    return forgotten


def _be_sender(campaign: Path, mode: str) -> None:
    """Send, and say how long it took from the first claim to the end."""
    if mode == FORGETS:
        CampaignRun.mark = _forgets  # type: ignore[method-assign, assignment]  # what is measured
        CampaignRun.record = _forgets  # type: ignore[method-assign, assignment]  # what is measured
    summary = asyncio.run(send(Campaign.load(campaign), SendOptions(), environ={}))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps([summary.elapsed_seconds, usage.ru_utime + usage.ru_stime]))


async def _send_once(mode: str, recipients: int, connections: int) -> Took:
    with tempfile.TemporaryDirectory(prefix="bulkmail-recording-") as name:
        root = Path(name)
        async with answering() as server:
            campaign = root / "campaigns" / f"{sample.write_project(root, recipients)}.yaml"
            told = yaml.safe_load(campaign.read_text("utf-8"))
            told["servers"][0] |= {"port": server.port, "connections": connections}
            told["servers"][0]["messages_per_connection"] = 0
            campaign.write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
            durability = "process" if mode == FORGETS else mode
            project = {"ledger": {"durability": durability}}
            (root / "bulkmail.yaml").write_text(yaml.safe_dump(project), "utf-8")
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "benchmarks.recording", "--sender", str(campaign), mode),
                stdout=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
        if len(server.taken) != recipients:
            message = f"{mode}: {len(server.taken)} messages taken, {recipients} expected"
            raise AssertionError(message)
    wall, cpu = json.loads(output.splitlines()[-1])
    return wall, cpu


async def _rounds(count: int, recipients: int, connections: int) -> list[dict[str, Took]]:
    rounds = []
    for number in range(count):
        # Turned round each time: what grows worse over a round does so for everybody.
        order = MODES if number % 2 else MODES[::-1]
        rounds.append({mode: await _send_once(mode, recipients, connections) for mode in order})
        told = ", ".join(f"{mode} {rounds[-1][mode][0]:.2f} s" for mode in MODES)
        print(f"round {number + 1}: {told}", file=sys.stderr, flush=True)
    return rounds


def _cost(rounds: Sequence[dict[str, Took]], mode: str, which: int) -> list[float]:
    """The share of the throughput that is lost, round by round."""
    return [1 - a_round[FORGETS][which] / a_round[mode][which] for a_round in rounds]


def _tell(rounds: Sequence[dict[str, Took]], recipients: int) -> bool:
    for mode in MODES:
        rate = statistics.median(recipients / a_round[mode][0] for a_round in rounds)
        print(f"{mode:>8}: {rate:,.0f} messages a second (median)")
    for mode in MODES[1:]:
        wall, cpu = (_cost(rounds, mode, which) for which in (0, 1))
        spread = f"{min(wall):.1%} to {max(wall):.1%}"
        print(
            f"mark and record with `{mode}` cost {statistics.median(wall):.1%} of the throughput "
            f"({spread}), {statistics.median(cpu):.1%} of the processor's time"
        )
    is_met = statistics.median(_cost(rounds, "process", 0)) <= ALLOWED
    word = "met" if is_met else "MISSED"
    print(f"allowed with `process`: {ALLOWED:.0%}, wanted: {WANTED:.0%}: {word}")
    return is_met


def main() -> int:
    """Measure, or be one of the senders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--recipients", type=int, default=3000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--sender", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sender:
        campaign, mode = options.sender
        _be_sender(Path(campaign), mode)
        return 0
    rounds = asyncio.run(_rounds(options.rounds, options.recipients, options.connections))
    return 0 if _tell(rounds, options.recipients) else 1


if __name__ == "__main__":
    sys.exit(main())
