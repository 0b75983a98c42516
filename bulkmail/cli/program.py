"""The program: its commands in the order of a first day, and what they all share.

A command is imported and built when it is asked for: who sends one letter does not wait for twenty
commands. All of them are there for the help.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from typer.core import TyperArgument, TyperGroup, TyperOption

from bulkmail.cli.bad_value import in_plain_words
from bulkmail.cli.parameters import CAMPAIGN
from bulkmail.cli.version import print_version
from bulkmail.report.terminal import visible

#: The commands, and groups of commands, in their order in the help. Each is a module of this
#: package with a function, or a `typer.Typer`, of that name.
ORDER = (
    "init",
    "check",
    "preview",
    "send",
    "run",
    "schedule",
    "plan",
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


#: Not shown in the help.
HIDDEN = frozenset({"demo"})

#: What the program and each of its commands have in common.
_STYLE: dict[str, Any] = {
    "add_completion": False,
    # Plain help: it costs a tenth of a second less, and reads the same in a pipe.
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "pretty_exceptions_show_locals": False,
}


class Commands(Mapping[str, Any]):
    """The commands by name, each built when it is first asked for."""

    def __init__(self) -> None:
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in ORDER:
            raise KeyError(name)
        if name not in self._built:
            self._built[name] = _built(name)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(ORDER)

    def __len__(self) -> int:
        return len(ORDER)


def _built(name: str) -> Any:
    work = getattr(importlib.import_module(f"bulkmail.cli.{name}"), name)
    if not isinstance(work, typer.Typer):
        alone = typer.Typer(**_STYLE)
        alone.command(name, hidden=name in HIDDEN)(work)
        work = alone
    command = typer.main.get_command(work)
    command.name = name
    _ease(command)
    return command


class _Option(TyperOption):
    """An option that is converted only where it was given.

    Typer has pydantic build a converter for each there is: a twentieth of what one letter takes.
    """

    def process_value(self, ctx: Any, value: Any) -> Any:
        is_given = value is not None or self.required or self.multiple or self.nargs != 1
        if is_given or self.callback is not None:
            if value == "" and self.type_descriptor.annotation is Path:
                raise typer.BadParameter("it is empty, where a path belongs", ctx, self)
            with in_plain_words():
                return super().process_value(ctx, value)
        return None


class _Argument(TyperArgument):
    """An argument that is refused in plain words, and says what could be given."""

    def get_missing_message(self, ctx: Any) -> str | None:
        if self.metavar != CAMPAIGN:
            return super().get_missing_message(ctx=ctx)
        from bulkmail.campaign.find import campaigns_around

        there = ", ".join(campaigns_around(Path.cwd()))
        return f"There are: {visible(there)}" if there else "There is none in campaigns/ here"

    def process_value(self, ctx: Any, value: Any) -> Any:
        with in_plain_words():
            return super().process_value(ctx, value)


def _ease(command: Any) -> None:
    """Make its options, and those of its own commands, such as convert only what was given."""
    for parameter in command.params:
        if type(parameter) is TyperOption:
            parameter.__class__ = _Option
        elif type(parameter) is TyperArgument:
            parameter.__class__ = _Argument
    for inner in getattr(command, "commands", {}).values():
        _ease(inner)


class Program(TyperGroup):
    """The group of all commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = cast("Any", Commands())


program = typer.Typer(
    name="bulkmail",
    cls=Program,
    help="Send mail campaigns over SMTP, and know every recipient's fate.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    **_STYLE,
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
