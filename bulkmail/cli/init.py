"""`bulkmail init`: a new project, whose sample campaign can be sent to the sink at once."""

from __future__ import annotations

import shlex
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.report.terminal import visible

#: File in the new project to file in `sample/`. (A `.gitignore` there would rule our repository.)
SAMPLE = {
    "bulkmail.yaml": "bulkmail.yaml",
    "campaigns/hello.yaml": "hello.yaml",
    "campaigns/hello.csv": "hello.csv",
    "templates/hello.txt.j2": "hello.txt.j2",
    "templates/hello.html.j2": "hello.html.j2",
    ".gitignore": "gitignore",
}


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where. Default: the current folder.")
    ] = Path(),
) -> None:
    """Make a new project with a sample campaign.

    The sample can be sent to `bulkmail sink` at once, without a mail account. No file that is
    there is overwritten: then nothing is written at all (exit code 2).

    Example: bulkmail init my-letters
    """
    _refuse_to_overwrite(folder)
    for target in SAMPLE:
        _write(folder / target, _sample(target))
    for target in SAMPLE:
        say(f"made {visible(str(folder / target))}")
    say("\nTry it, without a mail account:")
    if folder.resolve() != Path.cwd():
        say(f"  cd {visible(shlex.quote(str(folder)))}")
    say("  bulkmail sink &                  a server on this machine; its letters lie in sink/")
    say("  bulkmail preview hello           what the first recipient gets")
    say("  bulkmail check hello             is everything in order?")
    say("  bulkmail send hello")
    say("\nThen write your own server into bulkmail.yaml.")


def _refuse_to_overwrite(folder: Path) -> None:
    faults = [
        Fault(path=str(folder / target), message="is there already. Nothing was written.")
        for target in SAMPLE
        if (folder / target).exists() or (folder / target).is_symlink()
    ]
    if faults:
        raise ConfigurationError(*faults)


def _sample(target: str) -> bytes:
    return (files("bulkmail.cli") / "sample" / SAMPLE[target]).read_bytes()


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise ConfigurationError(
            Fault(path=str(path), message=f"cannot be written: {error.strerror}")
        ) from error
