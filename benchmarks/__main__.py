"""`python -m benchmarks [--rounds N] [--rows N]`: all we hold ourselves to, in one table.

The contest against other senders, long lists, and start-up. A million rows, as is right, and five
rounds take most of an hour. The exit code is 1 where a bound is missed.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks import table
from benchmarks.contest.rounds import ROUNDS, contest
from benchmarks.figures import figures
from benchmarks.lists import MILLION, lists


def main() -> int:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the contest")
    parser.add_argument("--rows", type=int, default=MILLION, help="of the long lists")
    options = parser.parse_args()
    measured = [*contest(options.rounds), *figures(), *lists(options.rows)]
    return 0 if table.show(measured) else 1


if __name__ == "__main__":
    sys.exit(main())
