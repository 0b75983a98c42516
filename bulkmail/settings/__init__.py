"""What each layer is told, and how it is made out of what is written."""

from bulkmail.settings.gateway import AnswerPattern, GatewaySettings, Way, gateway_settings
from bulkmail.settings.making import (
    domain_limits,
    plain_server,
    project_server,
    retry_settings,
    server_settings,
    stop_settings,
)
from bulkmail.settings.values import (
    DomainLimit,
    PasswordSource,
    RetrySettings,
    Security,
    ServerSettings,
    StopSettings,
)

__all__ = [
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
    "gateway_settings",
    "plain_server",
    "project_server",
    "retry_settings",
    "server_settings",
    "stop_settings",
]
