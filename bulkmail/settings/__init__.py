"""What each layer is told, and how it is made out of what is written.

Values come by themselves; what makes them out of files needs the models, and is imported when it
is first used: `SMTPClient` costs neither pydantic nor YAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from bulkmail.settings.values import (
    DomainLimit,
    PasswordSource,
    RetrySettings,
    Security,
    ServerSettings,
    StopSettings,
    plain_server,
)

if TYPE_CHECKING:
    from bulkmail.settings.gateway import (
        AnswerPattern,
        GatewaySettings,
        Way,
        gateway_as_written,
        gateway_settings,
    )
    from bulkmail.settings.making import (
        NO_SERVERS,
        domain_limits,
        has_server,
        project_server,
        retry_settings,
        server_settings,
        servers_as_written,
        stop_settings,
    )

__all__ = [
    "NO_SERVERS",
    "AnswerPattern",
    "DomainLimit",
    "GatewaySettings",
    "PasswordSource",
    "RetrySettings",
    "Security",
    "ServerSettings",
    "StopSettings",
    "Way",
    "domain_limits",
    "gateway_as_written",
    "gateway_settings",
    "has_server",
    "plain_server",
    "project_server",
    "retry_settings",
    "server_settings",
    "servers_as_written",
    "stop_settings",
]


_OF_GATEWAYS = ("AnswerPattern", "GatewaySettings", "Way", "gateway_as_written", "gateway_settings")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "gateway" if name in _OF_GATEWAYS else "making"
    return getattr(import_module(f"bulkmail.settings.{home}"), name)
