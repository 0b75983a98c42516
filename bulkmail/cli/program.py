"""The program: its commands in the order of a first day, and what they all share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from bulkmail.cli.cancel import cancel
from bulkmail.cli.check import check
from bulkmail.cli.demo import demo
from bulkmail.cli.dkim import dkim
from bulkmail.cli.init import init
from bulkmail.cli.pause import pause
from bulkmail.cli.preview import preview
from bulkmail.cli.probe import probe
from bulkmail.cli.purge import purge
from bulkmail.cli.rename import rename
from bulkmail.cli.report import report
from bulkmail.cli.resolve import resolve
from bulkmail.cli.resume import resume
from bulkmail.cli.retry import retry
from bulkmail.cli.schema import schema
from bulkmail.cli.send import send
from bulkmail.cli.sink import sink
from bulkmail.cli.status import status
from bulkmail.cli.suppress import suppress
from bulkmail.cli.version import print_version

#: Their order in the help, once more with the groups, which typer puts behind all others.
ORDER = (
    "init",
    "check",
    "preview",
    "send",
    "status",
    "report",
    "pause",
    "resume",
    "cancel",
    "retry",
    "resolve",
    "suppress",
    "dkim",
    "rename",
    "purge",
    "probe",
    "sink",
    "schema",
    "demo",
)


class InOrder(TyperGroup):
    """The commands in the order of a first day."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of the commands, as the help shows them."""
        return sorted(super().list_commands(ctx), key=ORDER.index)


program = typer.Typer(
    name="bulkmail",
    cls=InOrder,
    help="Send mail campaigns over SMTP, and know every recipient's fate.",
    no_args_is_help=True,
    add_completion=False,
    # Plain help: it costs a tenth of a second less, and reads the same in a pipe.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _version(asked: bool) -> None:  # noqa: FBT001  # typer calls it with the option's value
    if asked:
        print_version()
        raise typer.Exit


@program.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", help="Show the traceback of an error, too (or set BULKMAIL_DEBUG)."
        ),
    ] = False,
) -> None:
    """Send mail campaigns over SMTP, and know every recipient's fate."""


_COMMANDS: tuple[Callable[..., None], ...] = (
    init,
    check,
    preview,
    send,
    status,
    report,
    pause,
    resume,
    cancel,
    retry,
    resolve,
    rename,
    purge,
    probe,
    sink,
    schema,
)
for _command in _COMMANDS:
    program.command()(_command)
program.add_typer(suppress, name="suppress")
program.add_typer(dkim, name="dkim")
program.command(hidden=True)(demo)
