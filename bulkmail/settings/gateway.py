"""A gateway for text messages, complete, out of a campaign, bulkmail.yaml and the environment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TypeAlias
from urllib.parse import urlsplit

from bulkmail.campaign.document import Loc
from bulkmail.campaign.gateway_rules import unsafe_url
from bulkmail.campaign.json_path import JsonSteps, parse_json_path
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.models.gateway import AnswerModel, GatewayModel
from bulkmail.campaign.models.sms import SmsModel, chosen_gateway
from bulkmail.campaign.units import Rate
from bulkmail.campaign.values import ENVIRONMENT_REFERENCE
from bulkmail.errors import ConfigurationError, Fault
from bulkmail.secret import Secret
from bulkmail.settings.lookup import Lookup
from bulkmail.settings.values import PasswordSource, ServerSettings
from bulkmail.value_class import value_class

IHUYI_ENDPOINT = "https://106.ihuyi.com/webservice/sms.php?method=Submit"
#: The keys in which an account's secrets may stand, as if they were not written.
_WITHOUT_SECRETS: dict[str, object] = {
    "account": None,
    "password": None,
    "query": {},
    "headers": {},
    "form": {},
    "json_": None,
}
#: Where a gateway stands that is written in the campaign itself.
_INLINE: Loc = ("gateway",)
_PORTS = {"https": 443, "http": 80}


@value_class
class AnswerPattern:
    """What an answer has to look like; all that is given has to hold."""

    statuses: tuple[int, ...] = ()
    #: None: nothing of the JSON is asked.
    steps: JsonSteps | None = None
    #: One of these; empty: anything but null and false.
    values: tuple[str | int | float | bool, ...] = ()


@value_class(kw_only=True)
class GatewaySettings:
    """One gateway, complete. Times in seconds."""

    #: Its name in bulkmail.yaml, or host:port where it is written inline: limits hang on it.
    name: str
    #: ``ihuyi`` or ``http``.
    provider: str
    #: Where requests go; of `http` with its templates not filled in.
    url: str = field(repr=False)
    account: Secret | None = None
    password: PasswordSource | None = field(default=None, repr=False)
    #: ihuyi's dynamic password.
    is_signed: bool = False
    #: ``POST PUT GET``.
    method: str = "POST"
    #: HTTP Basic.
    is_basic: bool = False
    #: What templates refer to, by the name of its environment variable.
    secrets: Mapping[str, Secret] = field(default_factory=dict, hash=False)
    success: AnswerPattern = field(default_factory=AnswerPattern)
    retry_when: tuple[AnswerPattern, ...] = ()
    message_id: JsonSteps | None = None
    error: JsonSteps | None = None
    idempotency_header: str | None = None
    rates: tuple[Rate, ...] = ()
    connections: int = 4
    weight: int | None = None
    timeout: float = 30.0
    verify: bool = True
    ca_file: Path | None = None

    @property
    def origin(self) -> tuple[str, int]:
        """Host and port of its URL."""
        return _origin(self.url)


#: What a campaign is sent by, whatever its channel.
Way: TypeAlias = ServerSettings | GatewaySettings


def gateway_settings(
    campaign: Campaign, environ: Mapping[str, str], *, has_login: bool = True
) -> GatewaySettings:
    """The campaign's gateway; without what is secret of it where `has_login` is not.

    Raises `ConfigurationError` with all the faults: no gateway, a variable that is not set, an
    address to which nothing is sent without TLS.
    """
    sms = campaign.sms
    if sms is None:
        raise AssertionError("a campaign of mail has servers and no gateway")
    model, loc = chosen_gateway(sms, campaign.project)
    if model is None:
        raise ConfigurationError(campaign.fault(("gateway",), _none(sms, campaign)))
    if not has_login:
        model = model.model_copy(update=_WITHOUT_SECRETS)
    return _Maker(campaign, environ, model, loc).settings()


def gateway_as_written(campaign: Campaign) -> tuple[Fault, ...]:
    """What is wrong with the campaign's gateway as far as it is seen without the environment."""
    if campaign.sms is None:
        raise AssertionError("a campaign of mail has servers and no gateway")
    model, loc = chosen_gateway(campaign.sms, campaign.project)
    if model is None:
        return ()
    return tuple(Lookup(campaign, {}, loc, _folders(campaign, loc)).as_written(model.ca_file))


def _folders(campaign: Campaign, loc: Loc) -> tuple[Path, ...]:
    """Where relative paths of a gateway are looked up: it is written here, or in bulkmail.yaml."""
    return (campaign.folder, campaign.root) if loc == _INLINE else (campaign.root,)


def _none(sms: SmsModel, campaign: Campaign) -> str:
    if sms.gateway is None and campaign.project.gateways:
        return f"`gateway` is needed: bulkmail.yaml has {', '.join(campaign.project.gateways)}"
    return "there is no gateway to send by: describe one under `gateways`, in bulkmail.yaml"


class _Maker:
    """Makes one gateway's settings, and notes what is wrong on the way."""

    def __init__(
        self, campaign: Campaign, environ: Mapping[str, str], model: GatewayModel, loc: Loc
    ) -> None:
        self._campaign = campaign
        self._environ = environ
        self._model = model
        self._loc = loc
        self._look_up = Lookup(campaign, environ, loc, _folders(campaign, loc))
        self._name = None if loc == _INLINE else str(loc[-1])

    def settings(self) -> GatewaySettings:
        model, look_up = self._model, self._look_up
        url = self._url()
        account = look_up.text("account", model.account)
        made = GatewaySettings(
            name=self._name or _host_and_port(url),
            provider=model.provider or "http",
            url=url,
            account=None if account is None else Secret(account),
            password=look_up.password(model.password),
            is_signed=model.sign,
            method=model.method,
            is_basic=model.auth == "basic",
            secrets=self._secrets(),
            success=AnswerPattern() if model.success is None else _pattern(model.success),
            retry_when=tuple(map(_pattern, model.retry_when)),
            message_id=_steps(model.message_id),
            error=_steps(model.error),
            idempotency_header=model.idempotency_header,
            rates=model.rate,
            connections=model.connections,
            timeout=model.timeout,
            verify=model.verify,
            ca_file=look_up.ca_file(model.ca_file),
        )
        if look_up.faults:
            raise ConfigurationError(*dict.fromkeys(look_up.faults))
        return made

    def _url(self) -> str:
        key = "url" if self._model.url is not None else "endpoint"
        written = self._model.url or self._model.endpoint
        url = IHUYI_ENDPOINT if written is None else self._look_up.text(key, written)
        if url is None:
            return ""
        reason = unsafe_url(url, is_plain_allowed=self._model.security == "none")
        if reason:
            self._look_up.fault(key, reason)
        return url

    def _secrets(self) -> dict[str, Secret]:
        """All that the request's templates refer to; its URL is looked up by itself as well."""
        found = {}
        for key, name in _references(self._model):
            if self._environ.get(name):
                found[name] = Secret(self._environ[name])
            else:
                state = "empty" if name in self._environ else "not set"
                self._look_up.fault(key, f"the environment variable {name} is {state}")
        return found


def _origin(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        return parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 443)
    except ValueError:
        return "", 0


def _host_and_port(url: str) -> str:
    host, port = _origin(url)
    return f"{host}:{port}"


def _references(model: GatewayModel) -> Iterable[tuple[str, str]]:
    """Each reference to the environment in a request, and the key it is in."""
    parts = {"query": model.query, "headers": model.headers, "form": model.form}
    for key, value in {"url": model.url, **parts, "json": model.json_}.items():
        for name in dict.fromkeys(ENVIRONMENT_REFERENCE.findall(str(value))):
            yield key, name


def _pattern(model: AnswerModel) -> AnswerPattern:
    return AnswerPattern(model.status, _steps(model.path), model.value)


def _steps(path: str | None) -> JsonSteps | None:
    return None if path is None else parse_json_path(path)
