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

IGNORED = ".gitignore"
#: File in the new project to file in `sample/`. (A `.gitignore` there would rule our repository.)
SAMPLE = {
    "bulkmail.yaml": "bulkmail.yaml",
    "campaigns/hello.yaml": "hello.yaml",
    "campaigns/hello.csv": "hello.csv",
    "templates/hello.txt.j2": "hello.txt.j2",
    "templates/hello.html.j2": "hello.html.j2",
    IGNORED: "gitignore",
}


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Where. Default: the current folder.")
    ] = Path(),
) -> None:
    """Make a new project with a sample campaign.

    The sample can be sent to `bulkmail sink` at once, without a mail account. No file that is
    there is overwritten: then nothing is written at all (exit code 2). A `.gitignore` is added to.

    Example: bulkmail init my-letters
    """
    _refuse_to_overwrite(folder)
    # The one that may be there already comes first: it can fail in more ways than the others.
    done = {target: _write(folder / target, _sample(target)) for target in reversed(SAMPLE)}
    for target in SAMPLE:
        say(f"{done[target]} {visible(str(folder / target))}")
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
        if _is_in_the_way(folder / target)
    ]
    if faults:
        raise ConfigurationError(*faults)


def _sample(target: str) -> bytes:
    return (files("bulkmail.cli") / "sample" / SAMPLE[target]).read_bytes()


def _is_in_the_way(path: Path) -> bool:
    if path.name == IGNORED and path.is_file():
        return False
    return path.exists() or path.is_symlink()


def _write(path: Path, content: bytes) -> str:
    """Make the file, or add to one that is a list; what was done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            return _add_lines(path, content)
        with path.open("xb") as file:
            file.write(content)
    except OSError as error:
        raise ConfigurationError(
            Fault(path=str(path), message=f"cannot be written: {error.strerror}")
        ) from error
    return "made"


def _add_lines(path: Path, wanted: bytes) -> str:
    """Put the patterns that are missing behind those that are there; their comments come along."""
    there = path.read_bytes()
    known = {_pattern(line) for line in there.splitlines()}
    missing: list[bytes] = []
    comments: list[bytes] = []
    for line in wanted.splitlines():
        if line.startswith(b"#"):
            comments.append(line)
            continue
        if _pattern(line) not in known:
            missing += [*comments, line]
        comments.clear()
    if not missing:
        return "kept"
    before = b"" if not there or there.endswith(b"\n") else b"\n"
    with path.open("ab") as file:
        file.write(before + b"".join(line + b"\n" for line in missing))
    return "added to"


def _pattern(line: bytes) -> bytes:
    """`/.bulkmail` and `.bulkmail/` ignore the same folder."""
    return line.strip().strip(b"/")
