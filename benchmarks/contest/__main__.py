"""`python -m benchmarks.contest [--rounds N] [WORD …]`: the lines whose name holds a word, or all.

The exit code is 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import table
from benchmarks.contest.rounds import ROUNDS, contest


def main() -> int:
    """Measure, and print who came to what."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only lines whose name holds one of these")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    return 0 if table.show(contest(options.rounds, options.words)) else 1


if __name__ == "__main__":
    sys.exit(main())
