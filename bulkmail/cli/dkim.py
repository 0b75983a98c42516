"""`bulkmail dkim`: keys that messages are signed with."""

from __future__ import annotations

import enum
import re
from json import dumps as json_text
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say, say_json
from bulkmail.cli.parameters import JsonOption
from bulkmail.report.terminal import visible

dkim = typer.Typer(
    help="Make keys that messages are signed with.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


class KeyKind(enum.StrEnum):
    """The kinds of key there are."""

    RSA = "rsa"
    ED25519 = "ed25519"


@dkim.callback()
def group() -> None:
    """Make keys that messages are signed with."""


@dkim.command("new-key")
def new_key(
    domain: Annotated[
        str, typer.Argument(metavar="DOMAIN", help="The domain that signs: that of your From.")
    ],
    *,
    selector: Annotated[
        str,
        typer.Option(metavar="NAME", help="Which of the domain's keys this is, such as s2026."),
    ],
    kind: Annotated[
        KeyKind, typer.Option("--type", help="rsa (2048 bits) is what every provider knows.")
    ] = KeyKind.RSA,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Its file. Default: dkim-SELECTOR-DOMAIN.pem here."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make a DKIM key, and print its DNS record.

    Writes the private key where only you can read it, and says what goes into the DNS and into
    bulkmail.yaml. A file that is there is never replaced.

    Example: bulkmail dkim new-key example.com --selector s2026
    """
    from bulkmail.app import making_key

    made = making_key.new_key(domain, selector, kind.value, out)
    if json:
        say_json({"file": str(made.path), "record_name": made.record_name, "record": made.record})
        return
    strings = " ".join(f'"{text}"' for text in made.record_strings)
    say(visible(f"The private key is in {made.path} (only you can read it; keep it out of git)."))
    say("\nPublish this TXT record, in a zone file's words:\n")
    say(f"{made.record_name}. 3600 IN TXT ( {strings} )")
    say("\nor in a provider's form, name and value:\n")
    say(made.record_name)
    say(made.record)
    say("\nSign with it, in bulkmail.yaml:\n")
    say(f"dkim:\n  domain: {made.domain}\n  selector: {made.selector}")
    say(visible(f"  key: {{file: {_yaml(str(made.path))}}}"))


def _yaml(text: str) -> str:
    """`text` as YAML takes it between braces."""
    return text if re.fullmatch(r"[\w./-]+", text) else json_text(text)
