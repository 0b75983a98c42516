"""A gateway described in YAML: from the campaign's file to the request, and its answer back."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from support.mail_project import MailProject
from support.scripted_gateway import Arrival, ScriptedGateway, answer, scripted_gateway

from bulkmail.app.check.checking import check
from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError

KEY = "s3cret-token-0815"
OK = answer('{"state": "ok", "data": {"id": 77}}', 201, Content_Type="application/json")


def taken(arrival: Arrival, nth: int) -> bytes:
    return OK


def project_of(tmp_path: Path, gateway: ScriptedGateway, **keys: Any) -> MailProject:
    """A campaign of one text over a described gateway."""
    project = MailProject(tmp_path)
    project.shared = {
        "gateways": {
            "other": {
                "url": f"http://127.0.0.1:{gateway.port}/v1/send",
                "success": {"path": "state", "value": "ok"},
                "message_id": "data.id",
                "error": "error.message",
            }
            | keys
        }
    }
    project.keys = {
        "channel": "sms",
        "content": "Your code is {{ code }}.",
        "recipients": [{"mobile": "13800138000", "code": "482913"}],
    }
    return project


async def sent(project: MailProject, **options: Any) -> dict[str, Any]:
    """Send, and the one row of the report."""
    await project.send(environ={"SMS_TOKEN": KEY}, no_wait=True, **options)
    (row,) = (await project.report()).values()
    return row


async def test_json_headers_and_secrets_are_filled_in(tmp_path: Path) -> None:
    async with scripted_gateway(taken) as gateway:
        project = project_of(
            tmp_path,
            gateway,
            headers={"Authorization": "Bearer ${SMS_TOKEN}", "X-Code": "{{ code }}"},
            json={"to": "{{ mobile }}", "parts": [{"text": "{{ content }}"}], "priority": 1},
            idempotency_header="Idempotency-Key",
        )
        row = await sent(project, transcript=tmp_path / "talk.txt")

    (arrival,) = gateway.arrivals
    assert json.loads(arrival.body) == {
        "to": "+8613800138000",
        "parts": [{"text": "Your code is 482913."}],
        "priority": 1,
    }
    assert arrival.headers["authorization"] == f"Bearer {KEY}"
    assert arrival.headers["x-code"] == "482913"
    assert len(arrival.headers["idempotency-key"]) == 36
    assert (row["state"], row["gateway_id"], row["email"]) == ("sent", "77", "+8613800138000")
    told = (tmp_path / "talk.txt").read_text("utf-8")
    assert "+8613800138000" in told
    assert KEY not in told
    assert "482913" not in told


async def test_a_form_a_query_and_basic_auth(tmp_path: Path) -> None:
    async with scripted_gateway(taken) as gateway:
        project = project_of(
            tmp_path,
            gateway,
            account="AC1",
            password="${SMS_TOKEN}",
            auth="basic",
            query={"channel": "{{ campaign }}"},
            form={"To": "{{ digits }}", "Body": "{{ content }}", "Flag": True, "Count": 2},
        )
        await sent(project)

    (arrival,) = gateway.arrivals
    assert parse_qs(urlsplit(arrival.target).query) == {"channel": ["letter"]}
    assert arrival.fields == {
        "To": "8613800138000",
        "Body": "Your code is 482913.",
        "Flag": "true",
        "Count": "2",
    }
    kind, _, pair = arrival.headers["authorization"].partition(" ")
    assert (kind, b64decode(pair).decode()) == ("Basic", f"AC1:{KEY}")


async def test_a_row_cannot_ask_for_a_secret(tmp_path: Path) -> None:
    async with scripted_gateway(taken) as gateway:
        project = project_of(
            tmp_path,
            gateway,
            headers={"Authorization": "Bearer ${SMS_TOKEN}"},
            form={"to": "{{ mobile }}", "text": "{{ content }}"},
        )
        project.keys["recipients"][0]["code"] = "${SMS_TOKEN} {{ gateway.password }}"
        await sent(project)

    (arrival,) = gateway.arrivals
    assert arrival.fields["text"] == "Your code is ${SMS_TOKEN} {{ gateway.password }}."


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        (answer('{"state": "no", "error": {"message": "bad"}}'), "failed", "bad"),
        (answer('{"error": {"message": "unknown number"}}', 400), "failed", "unknown number"),
        (answer('{"error": {"message": "wrong key"}}', 401), "pending", "wrong key"),
        (answer("<h1>down</h1>", 503), "deferred", "down"),
        (answer('{"state": "busy"}'), "deferred", "busy"),
        (answer("<h1>hello</h1>"), "in_doubt", "no JSON"),
        (answer('{"other": 1}'), "in_doubt", "does not say"),
        (None, "in_doubt", "no answer came"),
    ],
    ids=["refused", "400", "401", "503", "retry_when", "html", "other json", "silence"],
)
async def test_each_answer_has_its_outcome(
    said: bytes | None, state: str, reason: str, tmp_path: Path
) -> None:
    async with scripted_gateway(lambda *_: said) as gateway:
        project = project_of(
            tmp_path,
            gateway,
            form={"to": "{{ mobile }}"},
            retry_when=[{"path": "state", "value": ["busy", "full"]}],
        )
        row = await sent(project)

    assert row["state"] == state
    assert reason in row["reason"]
    assert len(gateway.arrivals) == 1


async def test_what_a_template_asks_for_in_vain_is_found_by_check(tmp_path: Path) -> None:
    async with scripted_gateway(taken) as gateway:
        project = project_of(tmp_path, gateway, form={"to": "{{ mobile }}", "x": "{{ coed }}"})
        result = await check(Campaign.load(project.save()), environ={})

    (fault,) = result.faults
    assert "`{{ coed }}` is not a column" in fault.message
    assert fault.key == "gateways.other.form.x"
    assert fault.row == 1
    assert gateway.arrivals == []


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"url": "http://sms.example.com/send"}, "is not encrypted"),
        ({"url": "https://{{ code }}.example.com/"}, "has a template for its host"),
        ({"url": "https://u:p@sms.example.com/"}, "holds a password"),
        ({"url": "ftp://sms.example.com/"}, "is no URL"),
        ({"form": {"a": "b"}, "json": {"a": "b"}}, "stands beside `form`"),
        ({"form": {"a": "b"}, "method": "GET"}, "a GET has none"),
        ({"auth": "basic"}, "needs an `account`"),
        ({"sign": True}, "is for `provider: ihuyi`"),
        ({"message_id": "a[*]"}, "is no path"),
        ({"headers": {"Content-Length": "5"}}, "made by the program itself"),
        ({"hedaers": {}}, "Did you mean `headers`?"),
        ({"success": {"staus": 200}}, "Did you mean `status`?"),
    ],
)
async def test_what_cannot_be_a_gateway_is_told(
    keys: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    async with scripted_gateway(taken) as gateway:
        project = project_of(tmp_path, gateway, **keys)

        with pytest.raises(ConfigurationError) as caught:
            Campaign.load(project.save())

    assert sentence in str(caught.value)
    assert "bulkmail.yaml:" in str(caught.value)


async def test_an_id_that_is_no_text_does_not_keep_the_answer_from_the_ledger(
    tmp_path: Path,
) -> None:
    said = answer(r'{"state": "ok", "data": {"id": "a\ud800\u0000b"}}')
    async with scripted_gateway(lambda *_: said) as gateway:
        row = await sent(project_of(tmp_path, gateway))

    assert (row["state"], row["gateway_id"]) == ("sent", "a b")
