"""Campaigns of text messages, from outside: what is said, what is written, how a command ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from support.commandline import Cli
from support.mail_project import LETTER, MailProject, last_json
from support.scripted_gateway import ScriptedGateway, code, scripted_gateway

from bulkmail.campaign import phone
from bulkmail.campaign.load import Campaign
from bulkmail.settings import retry_settings

NUMBERS = ("+8613800138000", "+8613912345678", "+8613700137000")
KEY = "a-key-of-the-account"


@pytest.fixture
def texts(project: MailProject) -> MailProject:
    """The campaign `letter`, as text messages to three numbers."""
    project.write(
        "campaigns/list.csv",
        "手机号,code\n13800138000,482913\n+86 139 1234 5678,128943\n137-0013-7000,900127\n",
    )
    project.keys = {
        "channel": "sms",
        "content": "您的验证码是：{{ code }}。",
        "recipients": "list.csv",
        "gateway": {
            "provider": "ihuyi",
            "account": "C1",
            "password": KEY,
            "sign": True,
            "endpoint": "http://127.0.0.1:9/",
        },
    }
    project.save()
    return project


def over(project: MailProject, gateway: ScriptedGateway, **terms: object) -> MailProject:
    project.keys["gateway"] |= {"endpoint": gateway.endpoint} | terms
    return project


def test_doubts_are_held_unless_it_is_written(texts: MailProject) -> None:
    assert not retry_settings(Campaign.load(texts.path)).resend_on_doubt
    assert retry_settings(Campaign.load(texts.save(on_doubt="resend"))).resend_on_doubt


@pytest.mark.parametrize(
    ("key", "value"),
    [("from", "a@b.example"), ("subject", "hi"), ("html", "x.html.j2"), ("attachments", ["a"])],
)
def test_what_mail_has_alone_is_not_allowed(
    key: str, value: object, texts: MailProject, cli: Cli
) -> None:
    texts.save(**{key: value})

    result = cli("send", LETTER)

    assert result.code == 2
    assert f"{key}: is for mail" in result.err
    assert "letter.yaml:" in result.err


def test_defaults_of_mail_are_no_harm(texts: MailProject, cli: Cli) -> None:
    texts.shared = {
        "defaults": {
            "on_failure": ["ops@example.com"],
            "from": "a@b.example",
            "cc": ["c@d.example"],
            "headers": {"X": "1"},
        }
    }
    texts.save()

    assert cli("check", LETTER).code == 0


def test_a_bad_number_is_a_bad_row_with_its_line(texts: MailProject, cli: Cli) -> None:
    texts.write("campaigns/list.csv", "mobile,code\n13800138000,1\n138001,2\n,3\n")

    result = cli("send", LETTER)

    assert result.code == 2
    assert "list.csv:3" in result.err
    assert "`138001` is not a telephone number" in result.err
    assert "no number: `mobile` is empty" in result.err


@pytest.mark.parametrize(
    "keys",
    [{"mobile": "Tel."}, {"recipients": {"path": "list.csv", "mobile": "Tel."}}],
    ids=["campaign", "recipients"],
)
def test_the_column_of_the_number_can_be_named(
    keys: dict[str, object], texts: MailProject, cli: Cli
) -> None:
    texts.write("campaigns/list.csv", "mobile,Tel.,code\nno number,13800138000,1\n")
    texts.save(**keys)

    assert cli("check", LETTER).code == 0
    assert "To: +8613800138000" in cli("preview", LETTER).out


def test_another_region_makes_another_number(texts: MailProject, cli: Cli) -> None:
    texts.write("campaigns/list.csv", "phone,code\n(415) 555-2671,1\n")
    texts.save(default_region="us")

    assert "To: +14155552671" in cli("preview", LETTER).out


def test_a_gateway_s_trust_anchors_are_missed_by_the_check(texts: MailProject, cli: Cli) -> None:
    texts.keys["gateway"] |= {"ca_file": "gone.pem"}
    texts.save()

    result = cli("check", LETTER)

    assert result.code == 2
    assert "gateway.ca_file: gone.pem does not exist" in result.err


def test_a_mail_campaign_has_no_gateway(project: MailProject, cli: Cli) -> None:
    project.save(gateway="ihuyi")

    result = cli("check", LETTER)

    assert result.code == 2
    assert "gateway: is for text messages: it needs `channel: sms`" in result.err


def test_check_online_asks_whether_the_gateway_is_there(
    texts: MailProject, cli: Cli, closed_port: int
) -> None:
    texts.keys["gateway"]["endpoint"] = f"http://127.0.0.1:{closed_port}/"
    texts.save()

    result = cli("check", LETTER, "--online")

    assert result.code == 2
    assert f"127.0.0.1:{closed_port} cannot be reached" in result.out


def test_the_same_number_twice_is_one_recipient(texts: MailProject, cli: Cli) -> None:
    texts.write("campaigns/list.csv", "mobile,code\n13800138000,1\n+86 138 0013 8000,2\n")

    result = cli("check", LETTER, "--json")

    found = last_json(result.out)
    assert (found["total"], found["duplicates"], found["segments"]) == (1, 1, 1)


def test_a_long_text_is_a_bad_row_where_there_is_a_most(texts: MailProject, cli: Cli) -> None:
    texts.save(content="字" * 71 + "{{ code }}", max_segments=1)

    result = cli("check", LETTER)

    assert result.code == 2
    assert "takes 2 segments (77 characters, UCS-2), and `max_segments` is 1" in result.err


def test_ihuyi_takes_300_characters(texts: MailProject, cli: Cli) -> None:
    texts.save(content="字" * 295 + "{{ code }}")

    result = cli("check", LETTER)

    assert result.code == 2
    assert "has 301 characters, and the gateway takes 300 at most" in result.err


def test_check_tells_segments_and_cost(texts: MailProject, cli: Cli) -> None:
    texts.keys["gateway"] |= {"price_per_segment": 0.5, "currency": "CNY"}
    texts.save()

    result = cli("check", LETTER)

    assert "3 texts, 3 segments" in result.out
    assert "about 1.50 CNY" in result.out


def test_one_odd_character_is_named(texts: MailProject, cli: Cli) -> None:
    texts.save(content="It’s your code: {{ code }}")

    assert "Only ’ keeps row 1's text out of GSM 03.38" in cli("check", LETTER).out


def test_preview_shows_the_text_and_what_it_takes(texts: MailProject, cli: Cli) -> None:
    result = cli("preview", LETTER, "--email", "139 1234 5678")

    assert result.code == 0
    assert "To: +8613912345678" in result.out
    assert "您的验证码是：128943。" in result.out
    assert "14 characters, UCS-2, 1 segment" in result.out


def test_a_dry_run_writes_txt_files_of_the_texts_alone(texts: MailProject, cli: Cli) -> None:
    result = cli("send", LETTER, "--dry-run", "--out", "o", "--json")

    files = {path.name: path.read_text("utf-8") for path in (texts.root / "o" / LETTER).iterdir()}
    assert result.code == 0
    assert last_json(result.out)["sent"] == 3
    assert files == {
        f"00000{row}-{number}.txt": f"您的验证码是：{number_code}。"
        for row, (number, number_code) in enumerate(
            zip(NUMBERS, ("482913", "128943", "900127"), strict=True), 1
        )
    }


async def test_the_report_has_number_and_gateway_id(texts: MailProject) -> None:
    async with scripted_gateway() as gateway:
        summary = await over(texts, gateway).send()

    rows = await texts.report()
    assert summary.exit_code == 0
    assert set(rows) == set(NUMBERS)
    assert all(
        row["gateway_id"] and row["server"].startswith("127.0.0.1:") for row in rows.values()
    )
    assert all(row["key"] == row["email"] for row in rows.values())
    # A digest of a code of six digits is the code.
    assert not any(row["message_sha256"] for row in rows.values())


async def test_a_test_text_goes_to_the_other_number_and_leaves_no_ledger(
    texts: MailProject,
) -> None:
    async with scripted_gateway() as gateway:
        summary = await over(texts, gateway).send(test_to="136 0013 6000", email="13912345678")

    (arrival,) = gateway.arrivals
    assert summary.exit_code == 0
    assert arrival.mobile == "13600136000"
    assert "128943" in arrival.fields["content"]
    assert not texts.ledger.exists()


def test_a_test_number_that_is_none_is_told(texts: MailProject, cli: Cli) -> None:
    result = cli("send", LETTER, "--test-to", "me@example.com")

    assert result.code == 2
    assert "is not a telephone number" in result.err


async def test_a_refused_account_stops_at_once_and_nobody_fails(texts: MailProject) -> None:
    async with scripted_gateway(lambda *_: code(405, "API ID 或 API KEY 不正确")) as gateway:
        summary = await over(texts, gateway).send()

    assert summary.exit_code == 3
    assert "API KEY 不正确" in summary.stopped
    assert len(gateway.arrivals) == 1
    assert set((await texts.states()).values()) == {"pending"}


async def test_neither_key_nor_code_is_in_any_file_but_the_list(
    texts: MailProject, tmp_path: Path
) -> None:
    async with scripted_gateway(lambda arrival, _: code(407, arrival.fields["content"])) as gateway:
        await over(texts, gateway).send(transcript=tmp_path / "talk.txt")

    logs = [path for path in (texts.root / ".bulkmail").iterdir() if path.suffix == ".log"]
    for path in (tmp_path / "talk.txt", *logs):
        told = path.read_text("utf-8")
        assert KEY not in told
        assert not any(secret in told for secret in ("482913", "128943", "900127"))
    reasons = json.dumps(await texts.report(), ensure_ascii=False)
    assert "refused" in reasons
    assert "482913" not in reasons


def test_a_number_on_the_suppression_list_gets_nothing(texts: MailProject, cli: Cli) -> None:
    added = cli("suppress", "add", "138 0013 8000")
    result = cli("send", LETTER, "--dry-run", "--out", "o")

    assert added.code == result.code == 0
    assert "+8613800138000" in cli("suppress", "list").out
    assert {path.name[:6] for path in (texts.root / "o" / LETTER).iterdir()} == {"000002", "000003"}
    assert cli("suppress", "remove", "+86 13800138000").out.startswith("1 address removed")


def test_what_is_neither_address_nor_number_is_not_suppressed(texts: MailProject, cli: Cli) -> None:
    result = cli("suppress", "add", "12")

    assert result.code == 2
    assert "`12` is no address, nor a telephone number" in result.err


def test_without_phonenumbers_one_sentence_says_what_to_install(
    texts: MailProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.library.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)

    result = cli("check", LETTER)

    phone.library.cache_clear()
    assert result.code == 2
    assert "pip install 'bulkmail[sms]'" in result.err
    assert "Traceback" not in result.err


def test_without_phonenumbers_a_line_that_is_no_address_is_still_told_as_such(
    project: MailProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone.library.cache_clear()
    monkeypatch.setitem(sys.modules, "phonenumbers", None)
    project.write("campaigns/gone.txt", "12345\n")
    project.save(suppress=["gone.txt"])

    result = cli("check", LETTER)

    phone.library.cache_clear()
    assert result.code == 2
    assert "gone.txt:1" in result.err
    assert "`12345` is not an address" in result.err


def test_without_httpx2_sending_says_what_to_install(
    texts: MailProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "httpx2", None)

    result = cli("send", LETTER)

    assert result.code == 2
    assert "pip install 'bulkmail[sms]'" in result.err


def test_a_variable_that_is_not_set_is_told_before_anything_is_sent(
    texts: MailProject, cli: Cli
) -> None:
    texts.keys["gateway"]["password"] = "${NO_SUCH_KEY}"
    texts.save()

    result = cli("send", LETTER)

    assert result.code == 2
    assert "the environment variable NO_SUCH_KEY is not set" in result.err
    assert cli("check", LETTER).code == 0
