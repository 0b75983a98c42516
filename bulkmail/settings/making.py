"""Settings out of a campaign, bulkmail.yaml and the environment.

`${NAME}` is looked up here and nowhere earlier, so that a check needs no environment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bulkmail.campaign.document import Document, Loc
from bulkmail.campaign.host_name import insist_on_hello_name, insist_on_host
from bulkmail.campaign.load import Campaign, load_project, project_document
from bulkmail.campaign.models.limit import limit_domains
from bulkmail.campaign.models.server import ServerModel, ServerReference
from bulkmail.campaign.nearest import did_you_mean
from bulkmail.campaign.providers import PROVIDERS, Provider
from bulkmail.campaign.units import Rate
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.settings.lookup import Lookup, Places
from bulkmail.settings.values import (
    DomainLimit,
    RetrySettings,
    Security,
    ServerSettings,
    StopSettings,
    default_port,
    default_security,
)
from bulkmail.value_class import value_class

_MAX_PORT = 65535


def stop_settings(campaign: Campaign) -> StopSettings:
    """When the campaign leaves a server that refuses its messages."""
    stop = campaign.model.stop_after
    return StopSettings(in_a_row=stop.in_a_row or None, share=stop.share)


def domain_limits(campaign: Campaign) -> tuple[DomainLimit, ...]:
    """The limits by recipient domain: the campaign's, then bulkmail.yaml's for the other domains.

    A domain is in one of them at most: what a campaign says of it comes first.
    """
    made: list[DomainLimit] = []
    taken: set[str] = set()
    for limits in (campaign.model.limits, campaign.project.limits):
        for written, limit in limits.items():
            name, listed = limit_domains(written)
            domains = frozenset(listed) - taken
            taken |= domains
            if domains:
                made.append(
                    DomainLimit(
                        name=name, domains=domains, rates=limit.rate, connections=limit.connections
                    )
                )
    return tuple(made)


def retry_settings(campaign: Campaign) -> RetrySettings:
    """When the campaign's deferred deliveries are tried again."""
    retry = campaign.model.retry
    return RetrySettings(
        backoff=retry.backoff,
        backoff_doubles=len(retry.backoff) == 1,
        max_backoff=retry.max_backoff,
        give_up_after=retry.give_up_after,
        attempts=retry.attempts,
        resend_on_doubt=campaign.model.on_doubt == "resend",
    )


def server_settings(
    campaign: Campaign, environ: Mapping[str, str], *, has_login: bool = True
) -> tuple[ServerSettings, ...]:
    """The campaign's servers, in its order, complete; but for passwords where `has_login` is not.

    The campaign's own `servers`; else those of the defaults; else all of bulkmail.yaml's. Raises
    `ConfigurationError` with all the faults: no server at all, a variable that is not set, a file
    of trust anchors that is not there.
    """
    written = list(_written_servers(campaign))
    if not written:
        raise ConfigurationError(campaign.fault(("servers",), NO_SERVERS))
    makers = [_Maker(campaign, environ, server, has_login=has_login) for server in written]
    made = [maker.settings() for maker in makers]
    faults = [fault for maker in makers for fault in maker.faults]
    names = [settings.name for settings in made]
    for server, name in zip(written, names, strict=True):
        if not faults and names.count(name) > 1:
            faults.append(campaign.fault(server.loc, f"two servers are called {name}"))
    if faults:
        raise ConfigurationError(*dict.fromkeys(faults))
    return tuple(made)


def has_server(campaign: Campaign) -> bool:
    """Whether a campaign of mail has a server to send by; one of text messages needs none."""
    return campaign.sms is not None or any(_written_servers(campaign))


def servers_as_written(campaign: Campaign) -> tuple[Fault, ...]:
    """What is wrong with its servers as far as it is seen without the environment."""
    faults: list[Fault] = []
    for server in _written_servers(campaign):
        look_up = Lookup(campaign, {}, server.loc, server.folders)
        faults += look_up.as_written(server.model.ca_file)
    return tuple(dict.fromkeys(faults))


def project_server(root: Path, name: str, environ: Mapping[str, str]) -> ServerSettings:
    """The server of that name in the bulkmail.yaml of `root`, complete.

    Raises `ConfigurationError` where there is none of that name, or with all its faults.
    """
    project = load_project(root)
    model = project.servers.get(name)
    if model is None:
        known = did_you_mean(name, project.servers)
        raise ConfigurationError(
            Fault(message=f"there is no server `{name}` in bulkmail.yaml. {known}")
        )
    written = _WrittenServer(name, ("servers", name), (root,), model, model.weight)
    maker = _Maker(project_document(root) or Document(root), environ, written)
    settings = maker.settings()
    if maker.faults:
        raise ConfigurationError(*maker.faults)
    return settings


#: What there is to say of a campaign without one.
NO_SERVERS = "there is no server to send by: describe one under `servers`, in bulkmail.yaml or here"


@value_class
class _WrittenServer:
    """A server as it is written, and where."""

    #: None: its host and port.
    name: str | None
    loc: Loc
    #: The folders in which its relative paths are looked up.
    folders: tuple[Path, ...]
    model: ServerModel
    weight: int | None


def _written_servers(campaign: Campaign) -> Iterator[_WrittenServer]:
    chosen = campaign.model.servers
    here = (campaign.folder, campaign.root)
    if isinstance(chosen, dict):
        for name, model in chosen.items():
            yield _WrittenServer(name, ("servers", name), here, model, model.weight)
    elif chosen is None:
        for name in campaign.project.servers:
            yield _shared_server(campaign, ServerReference(server=name), ("servers", name))
    else:
        for index, entry in enumerate(chosen):
            loc: Loc = ("servers", index)
            if isinstance(entry, ServerReference):
                yield _shared_server(campaign, entry, loc)
            else:
                yield _WrittenServer(None, loc, here, entry, entry.weight)


def _shared_server(campaign: Campaign, reference: ServerReference, loc: Loc) -> _WrittenServer:
    name = reference.server
    model = campaign.project.servers.get(name)
    if model is None:
        known = did_you_mean(name, campaign.project.servers)
        message = f"there is no server `{name}` in bulkmail.yaml. {known}"
        raise ConfigurationError(campaign.fault(loc, message))
    weight = model.weight if reference.weight is None else reference.weight
    return _WrittenServer(name, ("servers", name), (campaign.root,), model, weight)


def _default_port(security: Security | None, provider: Provider | None) -> int:
    """The provider's, unless it goes with another security than the one that is written."""
    if provider is not None and (security is None or security == provider.security):
        return provider.port
    return default_port(security)


def _default_security(port: int, provider: Provider | None) -> Security:
    if provider is not None and port == provider.port:
        return Security(provider.security)
    return default_security(port)


def _rates(model: ServerModel, provider: Provider | None) -> tuple[Rate, ...]:
    rates = model.rate or (provider.rates if provider else ())
    return rates if model.warm_up is None else (*rates, model.warm_up.rate)


class _Maker:
    """Makes one server's settings, and notes what is wrong on the way."""

    def __init__(
        self,
        places: Places,
        environ: Mapping[str, str],
        written: _WrittenServer,
        *,
        has_login: bool = True,
    ) -> None:
        self._written = written
        self._has_login = has_login
        self._look_up = Lookup(places, environ, written.loc, written.folders)

    @property
    def faults(self) -> list[Fault]:
        """What was wrong so far."""
        return self._look_up.faults

    def settings(self) -> ServerSettings:
        """The settings; of no use when there are faults."""
        model = self._written.model
        provider = PROVIDERS[model.provider] if model.provider else None
        host = self._checked("host", model.host, insist_on_host) or (
            provider.host_in(model.region) if provider else ""
        )
        port, security = self._port_and_security(model, provider)
        return ServerSettings(
            name=self._written.name or f"{host}:{port}",
            host=host,
            port=port,
            security=security,
            ca_file=self._look_up.ca_file(model.ca_file),
            verify=model.verify,
            username=self._look_up.text("username", model.username),
            password=self._look_up.password(model.password) if self._has_login else None,
            auth=model.auth,
            rates=_rates(model, provider),
            connections=model.connections,
            messages_per_connection=model.messages_per_connection,
            connection_lifetime=model.connection_lifetime,
            window=model.window,
            timeout=model.timeout,
            data_timeout=model.data_timeout,
            local_hostname=self._checked(
                "local_hostname", model.local_hostname, insist_on_hello_name
            ),
            weight=self._written.weight,
            password_hint=f"{provider.hint} See {provider.page}." if provider else "",
        )

    def _port_and_security(
        self, model: ServerModel, provider: Provider | None
    ) -> tuple[int, Security]:
        security = Security(model.security) if model.security else None
        port = _default_port(security, provider) if model.port is None else self._port(model.port)
        return port, security or _default_security(port, provider)

    def _port(self, port: int | str) -> int:
        if isinstance(port, int):
            return port
        text = self._look_up.text("port", port) or ""
        if text.isascii() and text.isdigit() and 0 < int(text[:6]) <= _MAX_PORT:
            return int(text)
        if text:
            self._look_up.fault(
                "port", f"{port} holds no port, a whole number from 1 to {_MAX_PORT}"
            )
        return 0

    def _checked(self, key: str, written: str | None, insist: Callable[[str], str]) -> str | None:
        """A text that has been looked up and judged."""
        text = self._look_up.text(key, written)
        if text is not None:
            try:
                return insist(text)
            except ValueError as error:
                self._look_up.fault(key, str(error))
        return text
