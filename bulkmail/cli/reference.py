"""docs/cli.md, made from the help texts: `python -m bulkmail.cli.reference > docs/cli.md`."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import typer

from bulkmail.cli.program import program

_HEAD = """\
# Command line

Made from the help texts by `python -m bulkmail.cli.reference`; change those, not this page.

CAMPAIGN is a campaign's file, or its name: `campaigns/NAME.yaml` in the project around the current
folder. Commands that work on the ledger (`status`, `report`, `pause`, `resume`, `cancel`, `retry`,
`resolve`, `rename`, `purge`) also take a name as it stands there.

Results go to stdout; progress and errors go to stderr. Without a terminal there is no bar: a dated
line now and then. `NO_COLOR` is respected. `--debug`, anywhere on the line, shows the traceback of
an error, too.

| exit code | means |
| --- | --- |
| 0 | every recipient of this run was accepted by a server (or already was, or is suppressed); \
with `--limit` the rest stays pending |
| 1 | done; some failed for good, or are held in doubt |
| 2 | nothing was sent: the command line, the campaign or a row is wrong |
| 3 | stopped early: no server would work, or the ledger cannot be written; what was not sent \
stays pending |
| 70 | a fault of bulkmail's own |
| 75 | something still waits (deferred, a quota, a window, paused): run it again later |
| 130 | interrupted: messages in flight were finished, the ledger is whole, run it again to go on |

`check` leaves with 0 or 2, `probe` with 0 or 3.

Moments on a terminal are in the machine's zone; in JSON and CSV they are RFC 3339 in UTC.
"""


_TAIL = """\
## What machines read

These keys stay; others may come. Moments are RFC 3339 in UTC with Z, or null.

`send --json`: one object, the last line on stdout. `campaign`, `total`, `sent`, `failed`,
`deferred`, `pending`, `suppressed`, `in_doubt`, `duplicates` count the whole campaign (in a dry run
`sent` counts files written; `duplicates` are not part of `total`). `elapsed_seconds`,
`messages_per_second`, `sent_in_run`, `failed_in_run`, `exit_code`, `dry_run`, `test_to`,
`limit_reached`, `interrupted`, `halt` (`paused`, `cancelled` or null), `stopped` (why it stopped or
what it waits for), `stopped_detail`, `waiting_until`, `ledger`, `out` are this run's. `faults` is
that of `check --json`. The object is there whatever the exit code is, unless an option is none.

`status --json`: with CAMPAIGN one object, without it a list of them. `campaign`, `total`,
`pending`, `sending`, `sent`, `deferred`, `failed`, `suppressed`, `in_doubt`, `duplicates`,
`updated_at`, `halt` (`paused`, `cancelled` or null), `is_running` (seen on Linux alone); `reasons`,
a list of `state`, `count`, `code`, `enhanced_code`, `reason`, `sample`; `servers`, a list of
`server`, `sent`, `other`; `slowed`, the servers and domains that asked for a slower pace, a list of
`scope`, `per_second`, `full_per_second`, `until`, `reason`; `warming_up`, the servers whose quota
grows, a list of `server`, `day`, `per_day`, `until_per_day`, `grows_at`.

`report`: `row`, `email`, `key`, `state`, `reason`, `attempts`, `server`, `stage`, `code`,
`enhanced_code`, `reply`, `refused_recipients` (an object, address to reply), `message_id`,
`gateway_id` (a gateway's own name for a text message), `updated_at`, `attachments` (a list of
`name`, `size`, `sha256`) and `message_sha256` of what went out or may have ([the
rule](reliability.md#what-went-out)). In CSV, what is not known is empty, and a cell that a
spreadsheet would run as a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage return,
and is no plain number) has an apostrophe in front; JSON is exact.

`check --json`: one object. `campaign` (null where the files cannot be read), `ok`, `total`,
`duplicates`, `largest_bytes`, `total_bytes`; `providers`, `domains` (the most frequent ones, and
`others`) and `languages`, objects of a name to a number of recipients; `segments`
(of text messages, else null); `faults`, a list of
`message`, `path`, `line`, `column`, `key`, `row`, `address`, `text` (the line a person is shown);
`notices`, a list of sentences; `online`, a list of `ok` (null where nothing could be found out),
`text`, `advice` (true where it does not count for `ok`).

`schedule list --json`: a list of `campaign`, `path`, `rule`, `timezone`, `next` (as below, or
null), `occurrences`, `last` (as below, or null). `schedule next --json`: a list of `campaign`,
`due_at`, `begins_at` (when its window is open), `due_in_its_zone`, `due_here`. `schedule history
--json`: a list of `series`, `campaign`, `due_at`, `missed`, `begun_at`, `ended_at`, `outcome`
(`done`, `nobody`, `too late`, `superseded`, or null while it is under way or waits), `reason`,
`counts` (an object, or null).

`plan --json`: one object. `campaign`, `recipients`, `due_at` (null where it is due at no time by
itself), `begins_at`, `ends_at` and `seconds` (null where it is never done), `servers` (an object, a
number of recipients by server), `slowest_domains`, `window_shut_seconds`, `quota_spent_seconds`,
`until`, `too_late` (recipients who would be), `is_guessed` (a server has no pace), `by_reader`
(readers have windows of their own) and `warms_up`, which are not foreseen.

`suppress list --json`: a list of `email`, `reason`, `added_at`.
"""


def reference() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(program)
    parts = [_HEAD, *_options(root)]
    for name in root.list_commands(None):
        parts += _sections(f"bulkmail {name}", root.commands[name])
    return "\n".join([*parts, _TAIL]).rstrip() + "\n"


def _sections(path: str, command: Any) -> Iterator[str]:
    if command.hidden:
        return
    yield f"## {path}\n"
    yield from _prose(command.help)
    commands = getattr(command, "commands", {})
    if not commands:
        yield f"    {_usage(path, command)}\n"
        yield from _arguments(command)
        yield from _options(command)
    for name, each in commands.items():
        yield f"### {path} {name}\n"
        yield from _prose(each.help)
        yield f"    {_usage(f'{path} {name}', each)}\n"
        yield from _arguments(each)
        yield from _options(each)


def _prose(text: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        example = re.fullmatch(r"Example: (.*)", paragraph)
        yield f"Example: `{example[1]}`\n" if example else f"{_escaped(paragraph)}\n"


def _usage(path: str, command: Any) -> str:
    words = [_argument_name(param) for param in _params(command, "argument")]
    return " ".join([path, *words, "[OPTIONS]"])


def _argument_name(param: Any) -> str:
    name = param.metavar or "|".join(_choices(param))
    name += "..." if param.nargs != 1 else ""
    return name if param.required else f"[{name}]"


def _params(command: Any, kind: str) -> list[Any]:
    return [
        param
        for param in command.params
        if param.param_type_name == kind and "--help" not in param.opts
    ]


def _arguments(command: Any) -> Iterator[str]:
    rows = [(_argument_name(param), _help(param)) for param in _params(command, "argument")]
    yield from _table("argument", rows)


def _options(command: Any) -> Iterator[str]:
    rows = [
        (" ".join([", ".join(param.opts), *_value(param)]), _help(param))
        for param in _params(command, "option")
    ]
    yield from _table("option", rows)


def _value(param: Any) -> list[str]:
    if param.is_flag:
        return []
    return [param.metavar or "|".join(_choices(param)) or param.name.upper()]


def _choices(param: Any) -> list[str]:
    descriptor = getattr(param, "type_descriptor", None)
    return [
        str(getattr(choice, "value", choice))
        for choice in getattr(descriptor, "choices", None) or ()
    ]


def _help(param: Any) -> str:
    default = param.default
    said = "Default" in param.help or "default" in param.help
    shown = getattr(default, "value", default)
    if said or shown is None or shown is False or param.required:
        return _escaped(param.help)
    return f"{_escaped(param.help)} Default: `{shown}`."


def _table(kind: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    if rows:
        lines = [f"| {kind} | |", "| --- | --- |"]
        lines += [f"| `{name.replace('|', chr(92) + '|')}` | {text} |" for name, text in rows]
        yield "\n".join([*lines, ""])


def _escaped(text: str) -> str:
    """Text for Markdown: nothing in a help text is meant as a tag or a table's border."""
    return text.replace("|", r"\|").replace("<", "&lt;")


if __name__ == "__main__":
    sys.stdout.write(reference())
