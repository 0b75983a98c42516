"""`python -m bulkmail`, and the `bulkmail` command."""

from __future__ import annotations

import gc
import os
import signal
import sys

from bulkmail.child_environment import OURS
from bulkmail.process_end import leave


def enter() -> None:
    """Be the process: `main`, and then its end."""
    code = main()
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        sys.exit(code)  # which waits for them
    leave(code)


def main() -> int:
    """Run the command line with the process's arguments; the exit code."""
    # An interruption like Ctrl-C (exit 130) from here on, and not from when it is loaded.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _run()
    except KeyboardInterrupt:  # while it was loaded
        code = 130
    # Nor is all that there is gone through once more, only to be let go.
    gc.freeze()
    # What is left is to leave: a signal would only hide how it ended.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    return code


def _run() -> int:
    # Asked by scripts, often: no need to load all commands. None: it is closed (`>&-`).
    if sys.argv[1:] == ["--version"] and sys.stdout is not None:
        from bulkmail.cli.version import print_version  # noqa: PLC0415

        try:  # contextlib is not free to import
            print_version()
            sys.stdout.flush()
        except OSError:  # a full disk: the whole program has words for it
            pass
        else:
            return 0
    _fill_standard_streams()
    _hurry()
    from bulkmail.cli.main import main as run  # noqa: PLC0415  # the same

    return run(sys.argv[1:])


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
    os.environ.setdefault(*OURS)
    # What it would look for them with takes as much as a twentieth of a letter, `email` included.
    from bulkmail.import_later import import_later  # noqa: PLC0415  # not for the version

    import_later("importlib.metadata", "entry_points")
    # For the words of the help, and of a command that does not exist.
    import_later("gettext", "gettext")
    import_later("difflib", "get_close_matches")


if __name__ == "__main__":
    enter()
