"""`python -m bulkmail`, and the `bulkmail` command."""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys


def enter() -> None:
    """Be the process: `main`, and then an end without a clearing up.

    The interpreter lets go of each module and object one by one, for 5 % of what a letter takes.
    """
    code = main()
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        sys.exit(code)  # which waits for them
    atexit._run_exitfuncs()  # noqa: SLF001  # what the interpreter does, and all it is to do
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  # contextlib is not free to import
            stream.flush()
        except (OSError, ValueError):  # nobody reads any more
            pass
    os._exit(code)


def main() -> int:
    """Run the command line with the process's arguments; the exit code."""
    if sys.argv[1:] == ["--version"]:  # asked by scripts, often: no need to load all commands
        from bulkmail.cli.version import print_version  # noqa: PLC0415

        with contextlib.suppress(OSError):  # a full disk: the whole program has words for it
            print_version()
            sys.stdout.flush()
            return 0
    _fill_standard_streams()
    _hurry()
    try:
        from bulkmail.cli.main import main as run  # noqa: PLC0415  # the same

        code = run(sys.argv[1:])
    except KeyboardInterrupt:  # while it was loaded
        code = 130
    # Nor is all that there is gone through once more, only to be let go.
    gc.freeze()
    # What is left is to leave: a signal would only hide how it ended.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return code


def _fill_standard_streams() -> None:
    """Open what came closed: else a socket would be stdin or stderr, and uvloop ends by that."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004  # stderr
        os.set_inheritable(number, True)  # noqa: FBT003
    os.close(number)


def _hurry() -> None:
    """Before anything is loaded: leave out what only costs time to start."""
    # Modules make many objects and no garbage to speak of; `running` looks for it once it pays.
    gc.disable()
    # Ours has none; to look for them in all that is installed takes a tenth of a second.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What it would look for them with takes as much as a twentieth of a letter, `email` included.
    from bulkmail.import_later import import_later  # noqa: PLC0415  # not for the version

    import_later("importlib.metadata", "entry_points")


if __name__ == "__main__":
    enter()
