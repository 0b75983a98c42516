"""The command line from arguments to exit code: every error becomes a sentence here.

No traceback reaches a user unless `--debug` (or BULKMAIL_DEBUG) asks for it.
"""

from __future__ import annotations

import os
import shlex
import signal
import threading
import traceback
from collections.abc import Callable, Sequence

from bulkmail.cli.faults import are_some_rows, fault_lines
from bulkmail.cli.output import complain, finish, prepare
from bulkmail.cli.program import program
from bulkmail.errors import (
    EXIT_FAULT_OF_OURS,
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_USAGE,
    BulkmailError,
    ConfigurationError,
    Fault,
    Interrupted,
    shortage,
)
from bulkmail.report.terminal import visible


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. Nothing is raised."""
    prepare()
    _interrupt_on_sigterm()
    debug, arguments = _take_debug(arguments)
    code = _guarded(_command, arguments, debug=debug)
    end = _guarded(_finish, arguments, debug=debug)
    return code or end


def _command(arguments: Sequence[str]) -> int:
    try:
        program(list(arguments), prog_name="bulkmail")
    except SystemExit as leaving:  # how typer ends: a usage error, --help, `typer.Exit`
        untold = _untold(leaving.__context__)
        if untold is not None and arguments[:1] == ["send"] and "--json" in arguments:
            from bulkmail.cli.refusal import say_untold

            say_untold(untold, arguments[1:])
        return leaving.code if isinstance(leaving.code, int) else EXIT_OK
    return EXIT_OK


def _untold(reason: BaseException | None) -> BulkmailError | None:
    """Why typer left before the command itself could say so; None where it did not."""
    if reason is None:
        return None
    if isinstance(reason.__cause__, KeyboardInterrupt):
        complain("Interrupted.")
        return Interrupted("interrupted before anything was sent")
    sentence = getattr(reason, "format_message", None)  # of a line that is none; it was told
    return None if sentence is None else ConfigurationError(Fault(message=sentence()))


def _finish(_: Sequence[str]) -> int:
    finish()
    return EXIT_OK


def _guarded(step: Callable[[Sequence[str]], int], arguments: Sequence[str], *, debug: bool) -> int:
    try:
        return step(arguments)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BulkmailError as error:
        _explain(error, arguments)
        _trace(debug=debug)
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the end of the road: told, and the process ends
        if _is_nowhere():
            complain("The current folder is not there any more: go into another one.")
            _trace(debug=debug)
            return EXIT_USAGE
        if (short := shortage(error)) is not None:
            complain(str(short))
            _trace(debug=debug)
            return short.exit_code
        kind = type(error).__name__
        complain(visible(f"bulkmail failed, and it is a fault of its own ({kind}: {error})."))
        complain("--debug shows the traceback; please report it.")
        _trace(debug=debug)
        return EXIT_FAULT_OF_OURS


def _is_nowhere() -> bool:
    """Whether the current folder was removed: no path can be made sense of then."""
    try:
        os.getcwd()  # noqa: PTH109  # Path.cwd() does the same
    except FileNotFoundError:
        return True
    return False


def _explain(error: BulkmailError, arguments: Sequence[str]) -> None:
    sends = next((word for word in arguments if not word.startswith("-")), "") == "send"
    if isinstance(error, ConfigurationError) and error.faults:
        for line in fault_lines(error.faults, "Nothing was sent." if sends else ""):
            complain(line)
        if sends and are_some_rows(error.faults):
            command = shlex.join(["bulkmail", *arguments, "--skip-invalid"])
            complain(f"To all others:  {visible(command)}")
        return
    complain(visible(str(error) or type(error).__name__))
    if hint := getattr(error, "hint", ""):
        complain(f"  {visible(hint)}")
    if error.exit_code == EXIT_FAULT_OF_OURS:
        complain("A fault of bulkmail's own: --debug shows the traceback; please report it.")


def _trace(*, debug: bool) -> None:
    if debug:
        complain(traceback.format_exc())


def _take_debug(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """`--debug` is taken from anywhere: it is added to a line that has just failed."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [word for word in arguments[:end] if word != "--debug"]
    asked = len(options) < end or bool(os.environ.get("BULKMAIL_DEBUG"))
    return asked, [*options, *arguments[end:]]


def _interrupt_on_sigterm() -> None:
    """SIGTERM is an interruption like Ctrl-C, for every command (exit 130)."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
