"""`bulkmail ARGUMENTS` under a profiler of CPU time, all threads: TARGET ARGUMENTS."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import yappi

from bulkmail.__main__ import main

_PACKAGE = "/bulkmail/"
_LIBRARIES = "/site-packages/"


def room(module: str) -> str:
    """Where a function is at home: a folder of ours, a library, or Python itself."""
    if _LIBRARIES in module:
        return module.rpartition(_LIBRARIES)[2].partition("/")[0].removesuffix(".py")
    if _PACKAGE in module:
        inside = module.rpartition(_PACKAGE)[2]
        return f"bulkmail/{inside.partition('/')[0]}"
    for part in ("asyncio", "sqlite3", "email"):
        if part in module:
            return part
    return "Python"


def _write(target: Path) -> None:
    seconds: Counter[str] = Counter()
    for stat in yappi.get_func_stats():
        seconds[room(stat.module)] += stat.tsub
    target.write_text(json.dumps(seconds), "utf-8")


if __name__ == "__main__":
    aim = Path(sys.argv.pop(1))
    yappi.set_clock_type("cpu")
    yappi.start()
    try:
        main()
    finally:
        yappi.stop()
        _write(aim)
