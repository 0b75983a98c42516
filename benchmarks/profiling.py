"""`make profile`: where the microseconds of a message go, by room. CPU time of all threads.

The profiler makes everything some times slower, small functions most of all: shares count, not
sums. What starting up takes is taken off: a run that has nothing to send is profiled as well.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks import child
from benchmarks.contest.contenders import Ground, Load, campaign

_SCRIPT = Path(__file__).with_name("profiled.py")


def _profiled(command: list[str], folder: Path) -> Counter[str]:
    """Seconds by room; `command` is ``PYTHON -m bulkmail …``."""
    target = folder / "profile.json"
    child.run([sys.executable, str(_SCRIPT), str(target), *command[3:]], folder=folder)
    return Counter(json.loads(target.read_text("utf-8")))


def main() -> None:
    """Profile a campaign against the sink, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000)
    load = Load(rows=parser.parse_args().rows)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = int(server.getsockname()[1])
    with tempfile.TemporaryDirectory(prefix="bulkmail-profile-") as name:
        folder = Path(name)
        ground = Ground(folder, port)
        command = campaign("campaign").prepare(ground, folder, load)
        with ground.sink(load) as receiving:
            sending = _profiled(command, folder)
            starting = _profiled(command, folder)
        receiving.verify(load.rows)
    seconds = {room: taken - starting[room] for room, taken in sending.items()}
    total = sum(taken for taken in seconds.values() if taken > 0)
    print(f"{'room':<28}{'µs a message':>14}{'share':>8}")
    for room, taken in sorted(seconds.items(), key=lambda item: -item[1]):
        if taken > total / 500:
            print(f"{room:<28}{taken / load.rows * 1e6:>14.1f}{taken / total:>8.1%}")


if __name__ == "__main__":
    main()
