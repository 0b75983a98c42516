"""A campaign's file: everything that is wrong is said at once, with line, column and key."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign.load import Campaign, load_project
from bulkmail.campaign.models.server import ServerModel, ServerReference
from bulkmail.campaign.units import Rate
from bulkmail.errors import ConfigurationError

Write = Callable[[str, str | bytes], Path]
Load = Callable[..., Campaign]
Faults = Callable[..., list[str]]

SERVER = "host: smtp.example.com, username: u"


def test_a_campaign_is_called_as_its_file_unless_it_says_otherwise(load: Load) -> None:
    assert load().name == "offer"
    assert load("name: offer 2026\nrecipients: [{email: a@b}]\n").name == "offer 2026"


def test_keys_are_attributes_and_values_are_what_they_mean(load: Load) -> None:
    campaign = load(
        "recipients: {path: list.csv, key: id}\n"
        "cc: boss@example.com\n"
        'return_path: ""\n'
        "attachments: [handbook.pdf, {path: '{{ id }}.pdf', filename: '信.pdf'}]\n"
        "retry: {backoff: [1m, 5m], give_up_after: 1d}\n"
        "servers: [{host: h, rate: [10/s, 2000/day], timeout: 5, verify: no}]\n"
        "schedule: {at: 2026-12-01T09:00, timezone: Asia/Shanghai, window: 09:00-18:00}\n"
    )

    model = campaign.model
    assert model.from_ == "people@example.com"
    assert (model.recipients.path, model.recipients.key) == ("list.csv", "id")
    assert (model.cc, model.return_path) == (("boss@example.com",), "")
    assert [attachment.path for attachment in model.attachments] == ["handbook.pdf", "{{ id }}.pdf"]
    assert (model.retry.backoff, model.retry.give_up_after) == ((60, 300), 86400)
    assert isinstance(model.servers, tuple)
    assert isinstance(model.servers[0], ServerModel)
    assert model.servers[0].rate == (Rate(10, 1), Rate(2000, 86400))
    assert (model.servers[0].timeout, model.servers[0].verify) == (5, False)
    assert model.schedule.at is not None
    assert model.schedule.window is not None


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ("subjct: x\n", "campaigns/offer.yaml:5:1  subjct: unknown key. Did you mean `subject`?"),
        (
            "servers: [{" + SERVER + ", password: p, securty: tls}]\n",
            "servers[0].securty: unknown key. Did you mean `security`?",
        ),
        (
            "servers:\n  primary: {host: h, securty: tls}\n",
            "campaigns/offer.yaml:6:22  servers.primary.securty: unknown key. Did you mean `securi",
        ),
        (
            "on_finish: {mial: a@b.example}\n",
            ":5:13  on_finish.mial: unknown key. Did you mean `ma",
        ),
        ("retry: backoff:1m\n", "must be a mapping, with a `key: value` a line: a space belongs"),
        ("recipients: [a@b]\n", "with a `key: value` a line, such as `email: a@b`"),
        ("server: [primary]\n", ":5:1  server: unknown key. Did you mean `servers`?"),
        ("backoff: 1m\n", ":5:1  backoff: unknown key. It belongs under `retry`."),
        ("retry: {from: x}\n", "retry.from: unknown key. It belongs at the top of the file."),
        ("host: mx\nretry: {zzz: 1}\n", "host: unknown key. It belongs under `servers`."),
        ("servers: [{host: h, factor: 2}]\n", ".factor: unknown key. It belongs under `warm_up`."),
        (
            "servers: [{host: h, start: 9/day}]\n",
            "start: unknown key. It belongs under `warm_up`.",
        ),
        ("servers: [{name: one}]\n", "servers[0].name: unknown key. Did you mean `server`?"),
        ("secret: x\n", "under `on_finish` or under `on_failure` or under `unsubscribe`."),
        ("retry: {zzz: 1}\n", "retry.zzz: unknown key. Known here: attempts, backoff, give_up_aft"),
        ("subject: 5\n", "`subject` is written twice"),
        ("to: 5\n", ":5:5  to: must be text; a number, or true and false, in quotes"),
        ("html: [a]\n", "html: must be one text, not a list"),
        ("html: {a: b}\n", "html: must be text, not a mapping; quote text"),
        ("cc: [~]\n", "cc[0]: must be text, and nothing stands there"),
        ("html: ' '\n", "html: is empty"),
        ("attachments: x\n", "attachments: must be a list"),
        ("attachments: [{pth: x}]\n", "attachments[0]: needs a `path`, or `pdf` or `ics` to"),
        ("attachments: [5]\n", "attachments[0]: must be a mapping"),
        ("attachments: [{path: a, type: pdf}]\n", "must be a media type such as application/pdf"),
        ("attachments: [{path: a, type: a/b; name=c}]\n", "must be a media type such as applicat"),
        ("attachments: [{path: a, type: Multipart/mixed}]\n", "is a type of messages with parts"),
        ("inline: {'my logo': a.png}\n", "inline.my logo: is no name for an image"),
        ("cc: [a@b, c d@e]\n", "cc[1]: `c d@e` is not an address: a space before the @"),
        ("cc: a@b@c\n", ":5:5  cc: `a@b@c` is not an address: two @"),
        ("reply_to: hr\n", "reply_to: `hr` is not an address: no @"),
        ("return_path: Bounces <b@c>\n", "return_path: `Bounces <b@c>` is not an address: a name"),
        ("headers: {Subject: x}\n", ":5:11  headers.Subject: belongs under the key `subject`"),
        ("headers: {reply-to: x}\n", "headers.reply-to: belongs under the key `reply_to`"),
        ("headers: {Message-ID: x}\n", "headers.Message-ID: is written by the program"),
        ("headers: {DKIM-Signature: x}\n", "headers.DKIM-Signature: belongs under the key `dkim`"),
        ("headers: {X-A: 1.5}\n", "headers.X-A: must be text; a number"),
        ("headers: {X-A: true}\n", "headers.X-A: must be text; a number"),
        ("headers: {Content-Type: x}\n", "is written by the program, from the texts and attachm"),
        ("headers: {'a b': x}\n", "headers.a b: is no header's name"),
        (f"headers: {{{'X' * 77}: x}}\n", "is no header's name"),
        ("headers: {X-A: x, x-a: y}\n", "headers: X-A and x-a are the same header"),
        ('headers: {X-A: "a\\r\\nBcc: b@c"}\n', "headers.X-A: a control character, U+000D"),
        ('to: "a\\nb <a@b>"\n', "to: a control character, U+000A"),
        ('to: "a\\0b <a@b>"\n', "to: a control character, U+0000"),
        ("on_doubt: maybe\n", "on_doubt: must be one of `resend`, `hold`"),
        ("retry: {backoff: soon}\n", "retry.backoff: `soon` is not a duration"),
        ("retry: {backoff: []}\n", "retry.backoff: is empty"),
        ("retry: {attempts: 0}\n", "retry.attempts: must be at least 1"),
        (
            "servers: [{host: x.example, connections: 10001}]\n",
            "servers[0].connections: must be at most 10,000",
        ),
        ("servers: [{host: x.example, password: ${X}}]\n", "in it, quote ${…}"),
        ("retry: {attempts: true}\n", "retry.attempts: must be a whole number"),
        ("retry: 5\n", "retry: must be a mapping"),
        ("stop_after: 0\n", "stop_after: must be at least 1; `never` is no limit"),
        ("stop_after: soon\n", "stop_after: must be a share such as 50%, up to 100%"),
        ("stop_after: {share: 120%}\n", "stop_after.share: must be a share such as 50%"),
        ("limits: {gmial: 5/s}\n", "`gmial` is no domain, and no provider known here. Did you"),
        ("limits: {a.example: {}}\n", "limits.a.example: limits nothing: it needs a `rate`, or"),
        ("limits: {a.example: fast}\n", "limits.a.example: `fast` is not a rate"),
        ("limits: {gmail: 5/s, gmail.com: 1/s}\n", "limits: gmail.com is in two of them: `gmail`"),
        ("schedule: {at: soon}\n", "schedule.at: must be a moment in ISO 8601"),
        ("schedule: {every: daily}\n", "schedule.every: must be a cron expression of five fields"),
        ("schedule: {timezone: Asia/Shangai}\n", "`Asia/Shangai` is no IANA time zone"),
        ("schedule: {timezone: ../x}\n", "`../x` is no IANA time zone"),
        ("schedule: {window: 9-18}\n", 'must be a window such as "09:00-18:00"'),
        ("schedule: {window: 09:00-09:00}\n", "schedule.window: is a window that is never open"),
        ("schedule: {window: [mon-fry 09:00-10:00]}\n", "`fry` is no weekday"),
        ("schedule: {window: []}\n", "schedule.window: is empty"),
        ("schedule: {blackout: [2026-12-32]}\n", "schedule.blackout[0]: must be a day such as"),
        ("schedule: {blackout: 2027-02-12..2027-02-06}\n", "ends before it begins"),
        ("schedule: {every: 0 0 30 2 *}\n", "schedule.every: must be a cron expression"),
        ("schedule: {at: 2026-01-02, until: 2026-01-01}\n", "schedule: `until` is not after `at`"),
        ("schedule: {until: 2026-01-01}\n", "schedule.until: is for a campaign that is due"),
        ("schedule: {at: 2026-01-01, grace: 2h}\n", "schedule.grace: is for `misfire: skip`"),
        ("schedule: {recipient_timezone: zone}\n", "is for a `window`, which is counted in it"),
        ("schedule: {at: 2026-01-01, misfire: later}\n", "must be one of `run`, `skip`"),
        ("schedule: {at: 2026-01-01, every: '* * * * *'}\n", "schedule.every: stands beside `at`"),
        ("name: a/b\n", "name: `a/b` cannot be a folder's name"),
        ("name: 'offer-{{ now }}'\n", "name: `offer-{{ now }}` is no template: the name is the sa"),
        ("name: offer-${YEAR}\n", "name: `offer-${YEAR}` is no template"),
        ("name: ..\n", "name: `..` cannot be a folder's name"),
        ('name: "a\\tb"\n', "name: a control character, U+0009"),
        ("name: x@20261201T010000Z\n", "looks like an occurrence of a schedule"),
        ("servers: [one\uff0ctwo]\n", "A wide comma parts no names: write `,`."),
        ("servers: nowhere\n", "servers: there is no server `nowhere` in bulkmail.yaml. bulkmail"),
        ("servers: ['u:s3cret@h']\n", "there is no server `…@h` in bulkmail.yaml"),
        ("servers: ['u:s3cret@h', 'u:s3cret@h']\n", "`…@h` is listed twice"),
        ("servers: []\n", "servers: is empty"),
        ("servers: 5\n", "servers: must be a list, or a mapping of names"),
        ("servers: [{port: 25}]\n", "servers[0]: needs a `host`, or a `provider`"),
        ("servers: [{host: h, port: 99999}]\n", "servers[0].port: 99999 is no port"),
        ("servers: [{host: h, port: smtp}]\n", "servers[0].port: must be a port"),
        ("servers: [{host: '${a b}'}]\n", "servers[0].host: `${` that begins no name"),
        ("servers: [{host: h, security: ssl}]\n", "must be one of `tls`, `starttls`, `opportuni"),
        ("servers: [{host: h, security: ssl}]\n", "`none`. Did you mean `tls`?"),
        ("servers: [{host: h, security: STARTTLS}]\n", "`none`. Did you mean `starttls`?"),
        ("servers: [{host: h, rate: 5/week}]\n", "servers[0].rate: `5/week` is not a rate"),
        ("servers: [{host: h, timeout: 0}]\n", "servers[0].timeout: must be more than 0"),
        ("servers: [{host: h, username: u}]\n", "servers[0].username: stands without `password`"),
        ("servers: [{host: h, username: u, password: {fiel: x}}]\n", "Did you mean `file`?"),
        ("servers: [{host: h, username: u, password: {Command: [x]}}]\n", "mean `command`?"),
        ("servers: [{host: h, weight: 3}, {host: i}]\n", "servers: some have a `weight` and some"),
        ("servers: [{provider: gmal}]\n", "`gmal` is no provider known here. Did you mean `gmail`"),
        ("servers: [{provider: ses}]\n", "this provider needs a `region:`, such as us-east-1"),
        ("servers: [{provider: mailgun, region: cn}]\n", "`cn` is none of its regions: us, eu"),
        ("servers: [{host: h, region: cn}]\n", "is for a `provider` that has regions"),
    ],
)
def test_a_fault_names_line_key_and_what_to_write(faults: Faults, keys: str, sentence: str) -> None:
    found = faults(keys)

    assert any(sentence in fault for fault in found), found
    assert all(fault.startswith("campaigns/offer.yaml:") for fault in found)


@pytest.mark.parametrize(
    ("base", "sentence"),
    [
        ("", "the file is empty"),
        ("- a\n", "this file must hold keys"),
        ("from: a@b\nsubject: s\nrecipients: x.csv\n", "`text` or `html` is needed"),
        ("subject: s\ntext: t\nrecipients: x.csv\n", "from: is needed, and is not there"),
        ("from: a b\nsubject: s\ntext: t\nrecipients: x.csv\n", "from: `a b` is not an address"),
        ("from: a@b\nsubject: s\ntext: t\n", "recipients: is needed, and is not there"),
        ("from: a@b\nsubject: s\ntext: t\nrecipients: []\n", "is empty: there is nobody"),
        ("from: a@b\nsubject: s\ntext: t\nrecipients: [x]\n", "recipients[0]: must be a mapping"),
        ("from: a@b\nsubject: s\ntext: t\nrecipients: {key: x}\n", "recipients: needs a `path`"),
    ],
)
def test_what_every_campaign_needs(faults: Faults, base: str, sentence: str) -> None:
    assert any(sentence in fault for fault in faults("", base))


def test_all_faults_of_both_files_come_in_one_go_in_their_order(
    write: Write, faults: Faults
) -> None:
    write("bulkmail.yaml", "servers: {a: {hst: x}}\ndefaults: {on_doubt: never}\nleger: {}\n")

    found = faults("to: 5\nsubjct: x\nto: 6\nservers: [b]\n")

    assert [fault.split("  ")[0] for fault in found] == [
        "bulkmail.yaml:1:14",
        "bulkmail.yaml:1:15",
        "bulkmail.yaml:2:22",
        "bulkmail.yaml:3:1",
        "campaigns/offer.yaml:6:1",
        "campaigns/offer.yaml:7:1",
        "campaigns/offer.yaml:7:5",
        "campaigns/offer.yaml:8:11",
    ]


@pytest.mark.parametrize(
    "keys",
    [
        "pasword: hunter2, password: [hunter2]",
        "password: {file: hunter2, x: hunter2}",
        "password: 'hunter2 ${'",
        "password: {text: hunter2}",
        "password: {hunter2}",
        "password: hunter2, port: x",
        "password: !hunter2 x",
        "password: *hunter2",
    ],
)
def test_a_literal_password_is_in_no_error(faults: Faults, keys: str) -> None:
    found = faults("servers: [{host: h, username: u, " + keys + "}]\n")

    assert found
    assert "hunter2" not in "\n".join(found)


@pytest.mark.parametrize(
    "shared",
    [
        "servers: {main: 'me@b.example:hunter2@h'}\n",
        "servers: {main: 'smtp://me:hunter2@h'}\n",
        "unsubscribe: hunter2@h\n",
    ],
)
def test_what_stands_where_a_mapping_with_a_secret_belongs_is_not_repeated(
    write: Write, faults: Faults, shared: str
) -> None:
    write("bulkmail.yaml", shared)

    fault = next(found for found in faults("") if found.startswith("bulkmail.yaml"))

    assert fault.endswith(": must be a mapping, with a `key: value` a line")


def test_a_literal_password_is_in_no_repr(load: Load) -> None:
    campaign = load(
        "servers: [{host: h, username: u, password: hunter2}]\nrecipients: [{email: a@b}]\n"
    )

    assert "hunter2" not in repr(campaign)
    assert "hunter2" not in str(campaign.model)


def test_the_defaults_are_put_in_where_a_campaign_says_nothing(write: Write, load: Load) -> None:
    write(
        "bulkmail.yaml",
        "servers: {main: {host: h}}\n"
        "defaults:\n"
        "  from: Team <team@example.com>\n"
        "  on_doubt: hold\n"
        "  headers: {X-A: a, X-B: b}\n"
        "  retry: {backoff: 5m, attempts: 3}\n"
        "  servers: main\n",
    )

    campaign = load(
        "recipients: [{email: a@b}]\nheaders: {X-B: c}\nretry: {attempts: 9}\n",
        base="subject: s\ntext: t\non_doubt: resend\nfrom:\n",
    )

    model = campaign.model
    assert (model.from_, model.on_doubt) == ("Team <team@example.com>", "resend")
    assert model.headers == {"X-A": "a", "X-B": "c"}
    assert (model.retry.backoff, model.retry.attempts) == ((300,), 9)
    assert model.servers == (ServerReference(server="main"),)


def test_templates_are_judged_when_they_are_rendered(load: Load) -> None:
    campaign = load(
        "recipients: [{email: a@b}]\n",
        base="from: '{{ boss }} <{{ mail }}>'\ncc: '{% if x %}a b{% endif %}'\n"
        "subject: s\ntext: t\nreturn_path: 'bounces+{{ key }}@example.com'\n",
    )

    assert campaign.model.from_ == "{{ boss }} <{{ mail }}>"


def test_the_line_end_of_a_block_scalar_is_no_part_of_the_subject(load: Load) -> None:
    base = "from: a@b\nsubject: >\n  Hello\n  there\ntext: t\nrecipients: [{email: a@b}]\n"

    assert load("", base).model.subject == "Hello there"


def test_a_fault_is_placed_in_the_file_that_holds_the_key(write: Write, load: Load) -> None:
    write("bulkmail.yaml", "servers:\n  main:\n    host: h\ndefaults:\n  cc: [x@y]\n")

    campaign = load()

    assert str(campaign.fault(("subject",), "m", row=3)).startswith("campaigns/offer.yaml:2:10")
    assert str(campaign.fault(("cc", 0), "m")) == "bulkmail.yaml:5:8  defaults.cc[0]: m"
    assert str(campaign.fault(("servers", "main", "host"), "m")).startswith("bulkmail.yaml:3:11")


def test_a_pipe_that_is_called_bulkmail_yaml_is_not_taken_for_none(
    project: Path, faults: Faults
) -> None:
    os.mkfifo(project / "bulkmail.yaml")

    (fault,) = faults()

    assert fault == "bulkmail.yaml  this is a pipe or a device, where a file belongs"


def test_a_project_without_bulkmail_yaml_is_an_empty_one(project: Path, write: Write) -> None:
    assert load_project(project).servers == {}

    write("bulkmail.yaml", "ledger: {durability: process}\n")
    assert load_project(project).ledger.durability == "process"

    write("bulkmail.yaml", "ledger: {durabilty: process, path: 'postgresql://x'}\n")
    with pytest.raises(ConfigurationError) as caught:
        load_project(project)
    assert [fault.key for fault in caught.value.faults] == ["ledger.durabilty", "ledger.path"]
