"""`bulkmail sink`: a server on this machine that keeps what it gets."""

from __future__ import annotations

import enum
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import wrong_usage
from bulkmail.cli.probe import password_from_environment
from bulkmail.cli.running import run
from bulkmail.report.terminal import visible

if TYPE_CHECKING:
    from bulkmail.sink import Sink


class Tls(enum.StrEnum):
    """How the sink protects its connections."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


def sink(
    *,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")
    ] = 2525,
    folder: Annotated[
        Path, typer.Option("--dir", metavar="DIR", help="Where the messages are kept.")
    ] = Path("sink"),
    username: Annotated[
        str | None, typer.Option(metavar="USER", help="Ask for this login.")
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option(metavar="VAR", help="The environment variable with the login's password."),
    ] = None,
    tls: Annotated[Tls, typer.Option(help="With a certificate made on the spot.")] = Tls.NONE,
    ca: Annotated[
        Path | None,
        typer.Option(
            "--ca",
            metavar="FILE",
            help="Where the certificate to trust is written, for `ca_file`. Default: DIR/ca.pem.",
        ),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(metavar="BYTES", min=1, help="Refuse larger messages. Default: 64 MiB."),
    ] = None,
    sms: Annotated[
        bool,
        typer.Option(
            "--sms",
            help="A gateway for text messages instead, which speaks as ihuyi does and keeps .txt "
            "files. --username is the account, --password-env its key.",
        ),
    ] = False,
) -> None:
    """Run a local server that keeps all it gets.

    Takes every message, whoever it is for, and keeps it as an .eml file; delivers none.

    Example: bulkmail sink --port 2525 --dir sink
    """
    if sms:
        _refuse_of_mail(tls=tls, ca=ca, max_size=max_size)
        _text_sink(host, port, folder, username, password_env)
        return
    if (username is None) != (password_env is None):
        raise wrong_usage("--username and --password-env go together: a login has both.")
    if ca is not None and tls is Tls.NONE:
        raise wrong_usage("--ca writes a certificate, and without --tls there is none.")
    from bulkmail.app import sinking
    from bulkmail.sink.settings import DEFAULT_MAX_SIZE, SinkSettings

    settings = SinkSettings(
        host=host,
        port=port,
        directory=folder,
        username=username,
        password=None if password_env is None else password_from_environment(password_env),
        tls=tls.value,
        ca_path=ca,
        max_size=max_size or DEFAULT_MAX_SIZE,
    )
    run(sinking.sink(settings, ready=_tell))


def _refuse_of_mail(*, tls: Tls, ca: Path | None, max_size: int | None) -> None:
    if tls is not Tls.NONE or ca is not None or max_size is not None:
        raise wrong_usage("--tls, --ca and --max-size are for mail; --sms listens on this machine.")


def _text_sink(
    host: str, port: int, folder: Path, username: str | None, password_env: str | None
) -> None:
    if (username is None) != (password_env is None):
        raise wrong_usage("--username and --password-env go together: an account has both.")
    from bulkmail.app import sinking
    from bulkmail.sink import KeptText, TextSink, TextSinkSettings

    def tell(server: TextSink) -> None:
        say(visible(f"Listening on {server.host}:{server.port} (text messages, as ihuyi)."))
        say(visible(f"Endpoint: {server.endpoint}"))
        say(visible(f"Texts are kept in {server.settings.directory}/; none leaves this machine."))
        say("Ctrl-C ends it.")
        sys.stdout.flush()

    def tell_of(kept: KeptText) -> None:
        say(visible(f"{kept.mobile}: kept as {kept.path}"))
        sys.stdout.flush()

    settings = TextSinkSettings(
        directory=folder,
        host=host,
        port=port,
        account=username,
        key=None if password_env is None else password_from_environment(password_env),
    )
    run(sinking.text_sink(settings, ready=tell, on_kept=tell_of))


def _tell(server: Sink) -> None:
    host = f"[{server.host}]" if ":" in server.host else server.host
    login = "" if server.settings.username is None else f", login {server.settings.username}"
    protection = {"none": "no TLS", "starttls": "STARTTLS", "tls": "TLS"}[server.settings.tls]
    say(visible(f"Listening on {host}:{server.port} ({protection}{login})."))
    say(visible(f"Messages are kept in {server.settings.directory}/; none leaves this machine."))
    if server.ca_path is not None:
        say(visible(f"Certificate to trust (ca_file): {server.ca_path}"))
    say("Ctrl-C ends it.")
    sys.stdout.flush()
