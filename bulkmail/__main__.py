"""`python -m bulkmail`, and the `bulkmail` command."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line with the process's arguments; the exit code."""
    if sys.argv[1:] == ["--version"]:  # asked by scripts, often: no need to load all commands
        from bulkmail.cli.version import print_version  # noqa: PLC0415

        print_version()
        return 0
    from bulkmail.cli.main import main as run  # noqa: PLC0415  # the same

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
