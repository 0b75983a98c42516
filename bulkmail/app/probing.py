"""`probe`: asking a server what it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from bulkmail.campaign.project import nearest_project
from bulkmail.clock import SystemClock
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.secret import Secret
from bulkmail.settings import (
    PasswordSource,
    Security,
    ServerSettings,
    plain_server,
    project_server,
)
from bulkmail.transport.probe import probe as ask
from bulkmail.value_class import value_class


@value_class(kw_only=True)
class ProbeRequest:
    """Which server, and how: a host, or the name of one in bulkmail.yaml."""

    host: str | None = None
    port: int | None = None
    #: The server's name in the bulkmail.yaml of the project around the current folder.
    server: str | None = None
    security: Security | None = None
    username: str | None = None
    password: Secret | None = None


async def probe(
    request: ProbeRequest,
    *,
    say: Callable[[str], None],
    environ: Mapping[str, str] | None = None,
    where: Path | None = None,
) -> bool:
    """Talk to a server up to and without MAIL, every line said as it comes; whether it is good.

    Raises `ConfigurationError` where the request or bulkmail.yaml is wrong.
    """
    settings = _settings(request, os.environ if environ is None else environ, where or Path.cwd())
    told = set()

    def tell(line: str) -> None:
        told.add(line.strip())
        say(line)

    report = await ask(settings, clock=SystemClock(), tell=tell)
    for sentence in report.verdict:
        if sentence.rstrip(".") not in told:
            say(sentence)
    return report.is_good


def _settings(request: ProbeRequest, environ: Mapping[str, str], where: Path) -> ServerSettings:
    if request.server is not None:
        root = nearest_project(where)
        if root is None:
            raise ConfigurationError(
                Fault(
                    message=f"--server {request.server}: there is no bulkmail.yaml around {where}"
                )
            )
        return project_server(root, request.server, environ)
    port, security = plain_server(request.port, request.security)
    return ServerSettings(
        name=f"{request.host}:{port}",
        host=request.host or "",
        port=port,
        security=security,
        username=request.username,
        password=PasswordSource(secret=request.password) if request.password else None,
    )
