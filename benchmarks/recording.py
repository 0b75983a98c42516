"""What mark and record cost: a campaign's throughput against that of a ledger that forgets.

Each round sends one campaign four times to the contest's sink, each time by a process of its own
and into a ledger of its own: with a ledger that forgets what it is told while it sends (it claims,
and neither marks nor records), with `durability: process`, with `power`, and once more with the
forgetful one. Both are held against the mean of the two that forget. Where those two differ by more
than a twentieth, somebody else was at work on the machine: the round does not count, and another
one is run, up to four for each that is wanted.

Printed are the medians: of the throughput, by the sink's clock, and of the processor's time from
the first claim to the end, which another's work lengthens less. One process is bound by its
processor, so the two should tell the same. The exit code is 1 where `process` costs more than 15 %,
2 where no round counts.

    python -m benchmarks.recording [--rounds 7] [--recipients 5000] [--connections 10] [--data]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from benchmarks import sample
from benchmarks.contest import sink
from bulkmail import Campaign, SendOptions, send
from bulkmail.fate import Delivery
from bulkmail.ledger import CampaignRun

ALLOWED = 0.15
WANTED = 0.08
#: By how much the two that forget may differ in a round that counts.
CALM = 0.05
FORGETS = "forgets"
MODES = ("process", "power")
ORDER = (FORGETS, *MODES, FORGETS)


class Took(NamedTuple):
    """Seconds that a run took."""

    #: From the first connection to the last message.
    wall: float
    #: Of the processor, from the first claim to the end.
    cpu: float


class Round(NamedTuple):
    """Runs of one campaign, close to one another in time."""

    #: The two that forget.
    forgetful: tuple[Took, Took]
    recording: dict[str, Took]

    def unrest(self) -> float:
        """By how much the two differ that should not."""
        first, last = (took.wall for took in self.forgetful)
        return abs(first - last) / min(first, last)

    def cost(self, mode: str, which: int) -> float:
        """The share of the throughput that is lost; `which` is a place in `Took`."""
        without = statistics.mean(took[which] for took in self.forgetful)
        return 1 - without / self.recording[mode][which]


def _forgets_one(*_: object) -> asyncio.Future[bool]:
    forgotten = asyncio.get_running_loop().create_future()
    forgotten.set_result(True)
    return forgotten


def _forgets_all(_: CampaignRun, told: Sequence[object]) -> asyncio.Future[list[bool]]:
    forgotten = asyncio.get_running_loop().create_future()
    forgotten.set_result([True] * len(told))
    return forgotten


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _be_sender(campaign: Path, mode: str) -> None:
    """Send, and say how much of the processor it took from the first claim to the end."""
    if mode == FORGETS:
        for name, forgets in (("mark", _forgets_one), ("record", _forgets_one)):
            setattr(CampaignRun, name, forgets)
            setattr(CampaignRun, f"{name}_all", _forgets_all)
    claim, began = CampaignRun.claim, list[float]()

    async def first_noted(self: CampaignRun, *wanted: Any, **more: Any) -> list[Delivery]:
        if not began:
            began.append(_cpu())
        return await claim(self, *wanted, **more)

    setattr(CampaignRun, "claim", first_noted)  # noqa: B010  # the instrument
    asyncio.run(send(Campaign.load(campaign), SendOptions(), environ={}))
    print(json.dumps(_cpu() - began[0]))


def _send_once(program: Path, mode: str, options: argparse.Namespace) -> Took:
    with (
        tempfile.TemporaryDirectory(prefix="bulkmail-recording-") as name,
        sink.running(program, *(["-B"] if options.data else [])) as server,
    ):
        root = Path(name)
        campaign = root / "campaigns" / f"{sample.write_project(root, options.recipients)}.yaml"
        told = yaml.safe_load(campaign.read_text("utf-8"))
        told["servers"][0] |= {"port": server.port, "connections": options.connections}
        campaign.write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
        durability = "process" if mode == FORGETS else mode
        project = {"ledger": {"durability": durability}}
        (root / "bulkmail.yaml").write_text(yaml.safe_dump(project), "utf-8")
        command = [sys.executable, "-m", "benchmarks.recording", "--sender", str(campaign), mode]
        sent = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    server.verify(options.recipients)
    return Took(server.seconds, json.loads(sent.stdout.splitlines()[-1]))


def _round(program: Path, number: int, options: argparse.Namespace) -> Round:
    # Turned round each time: what grows worse over a round does so for everybody.
    order = ORDER if number % 2 else ORDER[::-1]
    took = [(mode, _send_once(program, mode, options)) for mode in order]
    first, last = (each for mode, each in took if mode == FORGETS)
    recording = {mode: each for mode, each in took if mode != FORGETS}
    return Round((first, last), recording)


def _rounds(options: argparse.Namespace) -> list[Round]:
    calm: list[Round] = []
    with tempfile.TemporaryDirectory(prefix="bulkmail-recording-") as name:
        program = sink.build(Path(name), tls=False)
        for number in range(4 * options.rounds):
            made = _round(program, number, options)
            counts = made.unrest() <= CALM
            calm += [made] * counts
            costs = ", ".join(f"{mode} {made.cost(mode, 0):.1%}" for mode in MODES)
            word = "" if counts else f"; does not count: the two differ by {made.unrest():.1%}"
            print(f"round {number + 1}: {costs}{word}", file=sys.stderr, flush=True)
            if len(calm) == options.rounds:
                break
    return calm


def _tell(rounds: Sequence[Round], options: argparse.Namespace) -> bool:
    rate = statistics.median(options.recipients / each.forgetful[0].wall for each in rounds)
    print(f"a ledger that forgets: {rate:,.0f} messages a second (median of {len(rounds)} rounds)")
    for mode in MODES:
        wall, cpu = ([each.cost(mode, which) for each in rounds] for which in (0, 1))
        print(
            f"mark and record with `{mode}` cost {statistics.median(wall):.1%} of the throughput "
            f"({min(wall):.1%} to {max(wall):.1%}), {statistics.median(cpu):.1%} of the "
            f"processor's time ({min(cpu):.1%} to {max(cpu):.1%})"
        )
    is_met = statistics.median(each.cost("process", 0) for each in rounds) <= ALLOWED
    word = "met" if is_met else "MISSED"
    print(f"allowed with `process`: {ALLOWED:.0%}, wanted: {WANTED:.0%}: {word}")
    return is_met


def main() -> int:
    """Measure, or be one of the senders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--recipients", type=int, default=5000)
    parser.add_argument("--connections", type=int, default=10)
    parser.add_argument("--data", action="store_true", help="to a server without CHUNKING")
    parser.add_argument("--sender", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sender:
        campaign, mode = options.sender
        _be_sender(Path(campaign), mode)
        return 0
    rounds = _rounds(options)
    if not rounds:
        print("No round counts: the machine has to be quiet for this.")
        return 2
    return 0 if _tell(rounds, options) else 1


if __name__ == "__main__":
    sys.exit(main())
