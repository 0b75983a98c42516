"""`bulkmail probe`: what a server is, line by line."""

from __future__ import annotations

import enum
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bulkmail.cli.output import say
from bulkmail.cli.parameters import wrong_usage
from bulkmail.cli.running import run
from bulkmail.errors import EXIT_OK, EXIT_STOPPED
from bulkmail.report.terminal import visible
from bulkmail.secret import Secret

_PORTS = 65535


class Protection(enum.StrEnum):
    """How the connection is protected: the names of `settings.Security`, without loading it."""

    TLS = "tls"
    STARTTLS = "starttls"
    OPPORTUNISTIC = "opportunistic"
    NONE = "none"


def probe(
    host: Annotated[
        str | None,
        typer.Argument(metavar="HOST[:PORT]", help="The server; default port 587, 465 for tls."),
    ] = None,
    *,
    server: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A server of bulkmail.yaml, with its login, instead."),
    ] = None,
    security: Annotated[
        Protection | None, typer.Option(help="How the connection is protected.")
    ] = None,
    username: Annotated[
        str | None, typer.Option(metavar="USER", help="Log in, too. The password is asked for.")
    ] = None,
    password_env: Annotated[
        str | None,
        typer.Option(metavar="VAR", help="Take the password from this environment variable."),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Take it from this file's first line.")
    ] = None,
) -> None:
    """Talk to a server, and show every line.

    Goes up to the point where a message would be sent. Shows what it is, what it offers, its
    TLS and certificate, and whether the login works.
    Nothing is sent. Exit code 0: it can be used. 3: it cannot.

    Example: bulkmail probe smtp.example.com --username hr@example.com
    """
    if (host is None) == (server is None):
        raise wrong_usage("Give either HOST[:PORT] or --server NAME.")
    if server is not None and (security or username or password_env or password_file):
        raise wrong_usage("--server NAME comes with its login and security; leave them out.")
    password = _password(username, password_env, password_file)
    from bulkmail.app import probing
    from bulkmail.settings import Security

    name, port = (None, None) if host is None else parse_host(host)
    request = probing.ProbeRequest(
        host=name,
        port=port,
        server=server,
        security=None if security is None else Security(security.value),
        username=username,
        password=password,
    )
    usable = run(probing.probe(request, say=_say))
    raise typer.Exit(EXIT_OK if usable else EXIT_STOPPED)


def _say(line: str) -> None:
    """Print a line when it happens: the one that takes long is the one to see."""
    say(visible(line))
    sys.stdout.flush()


def parse_host(text: str) -> tuple[str, int | None]:
    """Host and port of ``HOST``, ``HOST:PORT``, ``[V6]:PORT`` or a bare IPv6 address."""
    host, colon, port = text, "", ""
    if "://" in text:
        raise wrong_usage(f"`{text}` is an address of the web, where HOST[:PORT] belongs.")
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if colon not in {"", ":"}:
            raise wrong_usage(f"`{text}` is not HOST[:PORT].")
    elif text.count(":") == 1:
        host, colon, port = text.partition(":")
    if not host or any(character.isspace() for character in host):
        raise wrong_usage(f"`{text}` is not HOST[:PORT].")
    if not colon:
        return host, None
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _PORTS):
        raise wrong_usage(f"`{port}` in `{text}` is not a port: a number from 1 to {_PORTS}.")
    return host, int(port)


def _password(username: str | None, variable: str | None, file: Path | None) -> Secret | None:
    """The password, from where the user said; asked on a terminal; None without a login."""
    if variable is not None and file is not None:
        raise wrong_usage("Give one of --password-env and --password-file.")
    if (variable is not None or file is not None) and username is None:
        raise wrong_usage("A password goes with a login: give --username, too.")
    if variable is not None:
        return password_from_environment(variable)
    if file is not None:
        return _password_from_file(file)
    if username is None:
        return None
    if not sys.stdin.isatty():
        raise wrong_usage(
            f"The password of {username} is missing: give --password-env VAR or"
            " --password-file FILE (on a terminal it would be asked for)."
        )
    import getpass

    return Secret(getpass.getpass(f"Password of {username}: ", stream=sys.stderr))


def password_from_environment(variable: str) -> Secret:
    """The password in an environment variable. Raises `ConfigurationError` where it is unset."""
    value = os.environ.get(variable)
    if not value:
        raise wrong_usage(f"--password-env: the environment variable {variable} is not set.")
    return Secret(value)


def _password_from_file(file: Path) -> Secret:
    try:
        lines = file.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise wrong_usage(f"--password-file {file} is not UTF-8 text.") from error
    except OSError as error:
        raise wrong_usage(f"--password-file {file} cannot be read: {error.strerror}.") from error
    if not lines or not lines[0]:
        raise wrong_usage(f"--password-file {file}: its first line, the password, is empty.")
    return Secret(lines[0])
