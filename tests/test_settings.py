"""From what is written to what each layer is told."""

from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from bulkmail.campaign.load import Campaign
from bulkmail.campaign.units import Rate
from bulkmail.errors import ConfigurationError
from bulkmail.settings import (
    RetrySettings,
    Security,
    ServerSettings,
    StopSettings,
    domain_limits,
    has_server,
    retry_settings,
    server_settings,
    servers_as_written,
    stop_settings,
)

Load = Callable[..., Campaign]


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    (tmp_path / "campaigns").mkdir()
    monkeypatch.chdir(tmp_path)

    def load(keys: str = "", project: str = "") -> Campaign:
        base = "from: a@b\nsubject: s\ntext: t\nrecipients: [{email: a@b}]\n"
        Path("campaigns/offer.yaml").write_text(base + keys)
        Path("bulkmail.yaml").write_text(project)
        return Campaign.load("campaigns/offer.yaml")

    return load


def server(load: Load, keys: str, **environ: str) -> ServerSettings:
    [settings] = server_settings(load(f"servers: [{{{keys}}}]\n"), environ)
    return settings


def test_servers_come_in_the_campaigns_order(load: Load) -> None:
    project = "servers: {a: {host: a}, b: {host: b}, c: {host: c}}\n"

    def names(keys: str) -> list[str]:
        return [settings.name for settings in server_settings(load(keys, project), {})]

    assert names("") == ["a", "b", "c"]
    assert names("servers: c\n") == ["c"]
    assert names("servers: [c, {host: d, port: 25}, a]\n") == ["c", "d:25", "a"]
    assert names("servers: {x: {host: x}, y: {host: y}}\n") == ["x", "y"]


def test_the_defaults_choose_where_the_campaign_does_not(load: Load) -> None:
    project = "servers: {a: {host: a}, b: {host: b}}\ndefaults: {servers: [b]}\n"

    assert [settings.name for settings in server_settings(load("", project), {})] == ["b"]


@pytest.mark.parametrize(
    ("keys", "port", "security"),
    [
        ("host: h", 587, "starttls"),
        ("host: h, security: tls", 465, "tls"),
        ("host: h, security: none", 587, "none"),
        ("host: h, port: 465", 465, "tls"),
        ("host: h, port: 25", 25, "opportunistic"),
        ("host: h, port: 2525", 2525, "starttls"),
        ("host: h, port: '${PORT}'", 465, "tls"),
        ("host: h, port: 465, security: starttls", 465, "starttls"),
        ("provider: qq", 465, "tls"),
        ("provider: qq, port: 587", 587, "starttls"),
        ("provider: qq, security: starttls", 587, "starttls"),
        ("provider: gmail", 587, "starttls"),
        ("provider: gmail, port: 465", 465, "tls"),
        ("provider: gmail, security: tls", 465, "tls"),
        ("provider: 163, host: 127.0.0.1, port: 2525, security: none", 2525, "none"),
    ],
)
def test_port_and_security_go_together(load: Load, keys: str, port: int, security: str) -> None:
    settings = server(load, keys, PORT="465")

    assert (settings.port, settings.security) == (port, Security(security))


def test_a_server_has_the_contracts_defaults(load: Load) -> None:
    assert server(load, "host: h") == ServerSettings(
        name="h:587", host="h", port=587, security=Security.STARTTLS
    )


def test_a_provider_brings_host_limits_and_hint_unless_they_are_written(load: Load) -> None:
    preset = server(load, "provider: qq")
    changed = server(load, "provider: qq, host: h, rate: 5/s")
    regional = server(load, "provider: ses, region: eu-west-1")

    assert (preset.host, preset.rates) == ("smtp.qq.com", (Rate(100, 86400),))
    assert "授权码" in preset.password_hint
    assert (changed.host, changed.rates) == ("h", (Rate(5, 1),))
    assert regional.host == "email-smtp.eu-west-1.amazonaws.com"


def test_references_are_looked_up_in_the_environment_that_is_given(load: Load) -> None:
    keys = (
        "host: 'smtp.${DOMAIN}', username: '${USER}@${DOMAIN}', password: '${PASSWORD}', "
        "local_hostname: 'mail.${DOMAIN}'"
    )

    settings = server(load, keys, DOMAIN="x.example", USER="li", PASSWORD="hunter2 ${USER}")

    assert settings.host == "smtp.x.example"
    assert settings.username == "li@x.example"
    assert settings.local_hostname == "mail.x.example"
    assert settings.password is not None
    assert settings.password.secret is not None
    assert settings.password.secret.reveal() == "hunter2 ${USER}"
    assert "hunter2" not in repr(settings) + repr(settings.password)


def test_a_campaign_is_loaded_without_its_environment(load: Load) -> None:
    load("servers: [{host: '${A}', port: '${B}', username: '${C}', password: '${D}'}]\n")


def test_every_variable_that_is_not_set_is_named_with_its_key(load: Load) -> None:
    campaign = load(
        "servers: [main]\n",
        "servers:\n"
        "  main:\n"
        "    host: ${HOST}\n"
        "    port: ${PORT}\n"
        "    username: ${USER}\n"
        "    password: ${PASSWORD}\n"
        "    ca_file: ${CA}\n",
    )

    with pytest.raises(ConfigurationError) as caught:
        server_settings(campaign, {"HOST": "h", "PORT": "smtp", "USER": ""})

    faults = sorted(str(caught.value).splitlines())
    sentences = [fault.removesuffix(", a whole number from 1 to 65535") for fault in faults]
    assert sentences == [
        "bulkmail.yaml:4:11  servers.main.port: ${PORT} holds no port",
        "bulkmail.yaml:5:15  servers.main.username: the environment variable USER is empty",
        "bulkmail.yaml:6:15  servers.main.password: the environment variable PASSWORD is not set",
        "bulkmail.yaml:7:14  servers.main.ca_file: the environment variable CA is not set",
    ]


def test_a_control_character_from_the_environment_reaches_no_command(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"holds a control character, U\+000A"):
        server(load, "host: h, local_hostname: '${NAME}'", NAME="a\nMAIL FROM:<x>")


def test_a_password_may_come_from_a_file_or_a_command(load: Load, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    anywhere = tmp_path.parent / f"{tmp_path.name}-secret"
    anywhere.write_text("hunter3")

    from_file = server(load, "host: h, username: u, password: {file: secret}")
    from_anywhere = server(load, f"host: h, username: u, password: {{file: '{anywhere}'}}")
    from_command = server(load, "host: h, username: u, password: {command: [pass, show, smtp]}")

    assert from_file.password is not None
    assert from_file.password.file is not None
    assert from_file.password.file.samefile(tmp_path / "secret")
    assert from_anywhere.password is not None
    assert from_anywhere.password.file == anywhere
    assert from_command.password is not None
    assert from_command.password.command == ("pass", "show", "smtp")


def test_a_password_s_file_that_is_not_there_is_told_at_its_key(load: Load) -> None:
    wrong = r"servers\[0\].password: the file gone.txt does not exist"
    with pytest.raises(ConfigurationError, match=wrong):
        server(load, "host: h, username: u, password: {file: gone.txt}")


def test_trust_anchors_may_lie_anywhere_but_have_to_be_there(load: Load, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    settings = server(load, "host: h, ca_file: ca.pem")

    assert settings.ca_file is not None
    assert settings.ca_file.samefile(tmp_path / "ca.pem")
    with pytest.raises(ConfigurationError, match=r"servers\[0\].ca_file: gone.pem does not exist"):
        server(load, "host: h, ca_file: gone.pem")


def test_weights_are_the_campaigns_or_the_servers(load: Load) -> None:
    project = "servers: {a: {host: a, weight: 3}, b: {host: b, weight: 1}}\n"
    campaign = load("servers: [a, {server: b, weight: 7}]\n", project)

    assert [settings.weight for settings in server_settings(campaign, {})] == [3, 7]


def test_no_server_at_all_is_a_sentence(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"servers: there is no server to send by"):
        server_settings(load(), {})


@pytest.mark.parametrize(
    "host", ["smtp://a.example", "a.example:25", "a b", "a..b", "u@a.example", "a.example/x"]
)
def test_a_host_that_is_none_is_told_when_it_is_read(load: Load, host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"servers\[0\].host: .* is no host: a name"):
        load(f"servers: [{{host: '{host}'}}]\n")
    with pytest.raises(ConfigurationError, match=r"servers\[0\].host: .* is no host: a name"):
        server(load, "host: '${HOST}'", HOST=host)


@pytest.mark.parametrize(
    "host", ["a", "a.example.", "a_b.example", "邮件.example", "::1", "1.2.3.4"]
)
def test_hosts_are_names_and_addresses(load: Load, host: str) -> None:
    assert server(load, f"host: '{host}'").host == host


def test_an_ipv6_address_in_brackets_is_that_address(load: Load) -> None:
    assert server(load, "host: '[::1]'").host == "::1"
    assert server(load, "host: '${HOST}'", HOST="[::1]").host == "::1"


def test_a_name_for_ehlo_that_is_none_is_told_when_it_is_read(load: Load) -> None:
    with pytest.raises(ConfigurationError, match="local_hostname: `a b` is no host name"):
        load("servers: [{host: h, local_hostname: 'a b'}]\n")


def test_a_server_that_is_listed_twice_is_told_when_it_is_read(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"servers\[1\]: `a` is listed twice"):
        load("servers: [a, a]\n", "servers: {a: {host: a}}\n")


def test_what_is_wrong_with_servers_is_seen_without_an_environment(load: Load) -> None:
    campaign = load(
        "servers: [{host: '${HOST}', ca_file: '${CA}'}, {host: b, ca_file: gone.pem,"
        " username: u, password: '${PASSWORD}'}]\n"
    )

    assert [str(fault) for fault in servers_as_written(campaign)] == [
        "campaigns/offer.yaml:5:67  servers[1].ca_file: gone.pem does not exist"
    ]
    assert has_server(campaign)
    assert not has_server(load())


def test_two_servers_of_one_name_would_share_their_limits(load: Load) -> None:
    with pytest.raises(ConfigurationError, match="two servers are called h:587"):
        server_settings(load("servers: [{host: h}, {host: h}]\n"), {})


def test_retries_are_the_contracts_unless_written(load: Load) -> None:
    assert retry_settings(load()) == RetrySettings()
    assert retry_settings(
        load("on_doubt: hold\nretry: {backoff: [1m, 5m], max_backoff: 2h, attempts: 5}\n")
    ) == RetrySettings(
        backoff=(60, 300),
        backoff_doubles=False,
        max_backoff=7200,
        attempts=5,
        resend_on_doubt=False,
    )


@pytest.mark.parametrize(
    ("written", "backoff", "doubles"),
    [("90s", (90,), True), ("[90s]", (90, 90), False), ("[1m, 1h]", (60, 3600), False)],
)
def test_one_delay_doubles_and_a_list_does_not(
    load: Load, written: str, backoff: tuple[float, ...], doubles: bool
) -> None:
    retry = retry_settings(load(f"retry: {{backoff: {written}}}\n"))

    assert (retry.backoff, retry.backoff_doubles) == (backoff, doubles)


@pytest.mark.parametrize("name", ["mail.example.com", "[127.0.0.1]", "[IPv6:::1]", "box_7"])
def test_the_hello_name_is_a_host_or_an_address_literal(load: Load, name: str) -> None:
    assert server(load, f"host: h, local_hostname: '{name}'").local_hostname == name


@pytest.mark.parametrize("name", ["my host", "höst", "a<b", "[x y]"])
def test_another_hello_name_is_a_fault_at_its_key(load: Load, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"servers\[0\].local_hostname: .*no host name"):
        server(load, f"host: h, local_hostname: '{name}'")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", StopSettings(in_a_row=25, share=0.5)),
        ("stop_after: 5\n", StopSettings(in_a_row=5, share=None)),
        ("stop_after: 30%\n", StopSettings(in_a_row=None, share=0.3)),
        ("stop_after: never\n", StopSettings(in_a_row=None, share=None)),
        ("stop_after: {in_a_row: 3}\n", StopSettings(in_a_row=3, share=0.5)),
        ("stop_after: {in_a_row: 0, share: 100%}\n", StopSettings(in_a_row=None, share=1.0)),
    ],
)
def test_when_a_refusing_server_is_left(load: Load, written: str, expected: StopSettings) -> None:
    assert stop_settings(load(written)) == expected
    assert stop_settings(load(project=f"defaults: {{{written.strip()}}}\n")) == expected


def test_a_limit_is_for_a_provider_a_domain_or_a_group(load: Load) -> None:
    keys = 'limits: {163: 5/s, Corp.Example: {connections: 1}, "b.example , Gmail": [1/s, 9/h]}\n'

    netease, corp, group = domain_limits(load(keys))

    assert netease.name == "netease"
    assert {"163.com", "126.com", "yeah.net"} <= netease.domains
    assert (corp.name, corp.domains, corp.connections) == (
        "corp.example",
        frozenset({"corp.example"}),
        1,
    )
    assert group.name == "b.example,gmail"
    assert group.domains == {"b.example", "gmail.com", "googlemail.com"}
    assert group.rates == (Rate(1, 1.0), Rate(9, 3600.0))


def test_a_campaigns_limits_come_before_the_projects(load: Load) -> None:
    project = 'limits: {gmail: 5/s, "a.example, b.example": 3/s}\n'

    limits = domain_limits(load("limits: {gmail: 1/s, a.example: 2/s}\n", project))

    assert [(limit.name, *map(str, limit.rates)) for limit in limits] == [
        ("gmail", "1/s"),
        ("a.example", "2/s"),
        ("a.example,b.example", "3/s"),
    ]
    assert limits[2].domains == {"b.example"}


def test_a_domain_beyond_ascii_is_limited_as_it_goes_on_the_wire(load: Load) -> None:
    (limit,) = domain_limits(load("limits: {bücher.example: 1/s}\n"))

    assert limit.domains == {"xn--bcher-kva.example"}
