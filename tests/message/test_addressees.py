"""Envelope and address headers of a row."""

from typing import Any

import pytest
from message.sample_project import INSTANT, Project, delivery

from bulkmail.message.composer import Composer


@pytest.mark.parametrize(
    ("fields", "to", "written"),
    [
        ({}, None, "li.wei@example.com"),
        ({"name": ""}, None, "li.wei@example.com"),
        ({"name": None}, None, "li.wei@example.com"),
        ({"name": "Li Wei"}, None, "Li Wei <li.wei@example.com>"),
        ({"name": "Li, Wei"}, None, '"Li, Wei" <li.wei@example.com>'),
        ({"name": 'Li "W" Wei'}, None, '"Li \\"W\\" Wei" <li.wei@example.com>'),
        ({"name": "王芳"}, None, "=?utf-8?b?546L6Iqz?= <li.wei@example.com>"),
        ({"name": "Li 🎉"}, None, "=?utf-8?b?TGkg8J+OiQ==?= <li.wei@example.com>"),
        ({"name": "x <evil@y.example>"}, None, '"x <evil@y.example>" <li.wei@example.com>'),
        ({"name": "Wang, Fang"}, "{{ name }} <{{ email }}>", '"Wang, Fang" <li.wei@example.com>'),
        ({"name": ""}, "{{ name }} <{{ email }}>", "li.wei@example.com"),
        ({}, "team@example.com", "team@example.com"),
    ],
)
async def test_the_to_header(
    project: Project, fields: dict[str, Any], to: str | None, written: str
) -> None:
    mail = await project.compose(fields, to=to)

    assert f"\r\nTo: {written}\r\n".encode() in project.content(mail)
    assert mail.envelope.forward_paths == ("li.wei@example.com",)


@pytest.mark.parametrize(
    ("return_path", "reverse_path"),
    [
        (None, "people@example.com"),
        ("", ""),
        ("<>", ""),
        ("bounces@example.com", "bounces@example.com"),
        ("bounces+{{ id }}@例子.example", "bounces+7@xn--fsqu00a.example"),
    ],
)
async def test_the_reverse_path(
    project: Project, return_path: str | None, reverse_path: str
) -> None:
    mail = await project.compose({"id": "7"}, return_path=return_path)

    assert mail.envelope.reverse_path == reverse_path
    assert "return-path" not in project.parsed(mail)


async def test_copies_come_from_the_campaign_and_from_the_row(project: Project) -> None:
    fields = {
        "boss": "Wang, Fang <Boss@EXAMPLE.com>",
        "cc": 'a@x.example; "B, b" <b@x.example>',
        "bcc": ["audit@x.example", "LI.WEI@example.com", "Boss@example.com"],
    }

    mail = await project.compose(
        fields, cc=["{{ boss }}", "{{ recipient.get('none', '') }}"], bcc="hr@x.example"
    )

    assert mail.envelope.forward_paths == (
        "li.wei@example.com",
        "Boss@EXAMPLE.com",
        "a@x.example",
        "b@x.example",
        "hr@x.example",
        "audit@x.example",
    ), "LI.WEI is the row's own address in another case: he gets it once"
    assert str(project.parsed(mail)["cc"]) == (
        '"Wang, Fang" <Boss@EXAMPLE.com>, a@x.example, "B, b" <b@x.example>'
    )
    assert b"bcc" not in project.content(mail).lower()
    assert b"audit" not in project.content(mail)


async def test_a_column_for_copies_is_known_in_any_case(project: Project) -> None:
    mail = await project.compose({"CC": "a@x.example", "Bcc": None})

    assert mail.envelope.forward_paths == ("li.wei@example.com", "a@x.example")


async def test_a_suppressed_copy_is_left_out_and_named(project: Project) -> None:
    composer = Composer(
        project.campaign(cc=["Gone@x.example", "here@x.example"], bcc=["Fang@例子.example"]),
        is_suppressed={"gone@x.example", "fang@例子.example"}.__contains__,
    )

    mail = await composer.compose(delivery(), INSTANT)

    assert mail.left_out == ("Gone@x.example", "Fang@xn--fsqu00a.example")
    assert mail.envelope.forward_paths == ("li.wei@example.com", "here@x.example")
    assert project.parsed(mail)["cc"] == "here@x.example"


async def test_only_to_goes_to_nobody_else(project: Project) -> None:
    composer = project.composer(
        to="{{ name }} <{{ email }}>", cc=["c@x.example"], bcc=["b@x.example"]
    )

    mail = await composer.compose(
        delivery(name="Li Wei", cc="d@x.example"), INSTANT, only_to="me@x.example"
    )

    assert mail.envelope.forward_paths == ("me@x.example",)
    assert project.parsed(mail)["to"] == "me@x.example"
    assert "cc" not in project.parsed(mail)


@pytest.mark.parametrize(
    ("keys", "fields", "message"),
    [
        ({"to": "{{ x }}"}, {"x": "nobody"}, "`nobody` is not an address: no @"),
        ({"cc": ["{{ x }}"]}, {"x": "a@b.example c"}, "`a@b.example c` is not an address: a space"),
        ({"bcc": ["{{ x }}"]}, {"x": "a@"}, "`a@` is not an address: nothing after the @"),
        ({"reply_to": "{{ x }}"}, {"x": "@b"}, "`@b` is not an address: nothing before the @"),
        ({"return_path": "{{ x }}"}, {"x": "a..b@c.example"}, "`a..b@c.example` is not an address"),
        ({"from": "{{ x }}"}, {"x": "me"}, "`me` is not an address: no @"),
        ({}, {"cc": "a@b.example, bob"}, "column `cc`: `bob` is not an address: no @"),
        ({}, {"bcc": ["x"]}, "column `bcc`: `x` is not an address: no @"),
        ({"headers": {"Sender": "{{ x }}"}}, {"x": "me"}, "`me` is not an address: no @"),
        ({"reply_to": "é@b.example"}, {}, "`é@b.example` needs SMTPUTF8"),
    ],
)
async def test_a_malformed_address_is_a_fault_of_the_row(
    project: Project, keys: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    (fault,) = await project.faults(fields, **keys)

    assert fault.message.startswith(message)
    assert (fault.row, fault.address) == (1, "li.wei@example.com")


async def test_a_malformed_own_address_is_a_fault(project: Project) -> None:
    with pytest.raises(Exception, match="`no` is not an address: no @"):
        await project.composer().compose(delivery(address="no"), INSTANT)


async def test_a_unicode_local_part_asks_for_smtputf8_and_is_written_in_utf8(
    project: Project,
) -> None:
    mail = await project.composer().compose(delivery(address="方@example.com"), INSTANT)

    assert mail.envelope.needs_smtputf8
    assert "To: 方@example.com\r\n".encode() in project.content(mail)


async def test_an_idn_domain_is_an_a_label_in_envelope_and_header(project: Project) -> None:
    mail = await project.composer().compose(delivery(address="fang@例子.example"), INSTANT)

    assert mail.envelope.forward_paths == ("fang@xn--fsqu00a.example",)
    assert project.content(mail).isascii()
    assert mail.address == "fang@例子.example"
