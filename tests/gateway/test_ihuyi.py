"""ihuyi's protocol against a local HTTP server: fields, signature, what each answer comes to."""

from __future__ import annotations

import gzip
import hashlib
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from gateway.conftest import KEY, TEXT, FixedKey, Sender, ihuyi
from pytest_httpserver import HTTPServer
from support.scripted_gateway import answer, code, scripted_gateway
from werkzeug import Request, Response

from bulkmail.errors import ConnectFailed
from bulkmail.gateway.exchange import MAX_ANSWER_BYTES
from bulkmail.outcome import (
    Accepted,
    Blame,
    InDoubt,
    Outcome,
    Overload,
    PermanentFailure,
    TransientFailure,
)

PATH = "/webservice/sms.php"


def form(request: Request) -> dict[str, str]:
    assert request.content_type.startswith("application/x-www-form-urlencoded")
    return {name: values[0] for name, values in parse_qs(request.get_data().decode()).items()}


async def asked(
    httpserver: HTTPServer, sender: Sender, document: Any = None, *, sign: bool = False, **kw: Any
) -> tuple[Outcome, Request]:
    """One text, answered by `document`; the outcome and the request."""
    said = document or {"code": 2, "msg": "提交成功", "smsid": "16"}
    httpserver.expect_request(PATH, query_string="method=Submit").respond_with_json(said, **kw)
    outcome = await sender.send(ihuyi(httpserver.url_for(f"{PATH}?method=Submit"), is_signed=sign))
    ((request, _),) = httpserver.log
    return outcome, request


async def test_the_fields_are_those_of_its_protocol(httpserver: HTTPServer, sender: Sender) -> None:
    outcome, request = await asked(httpserver, sender)

    assert request.method == "POST"
    assert form(request) == {
        "account": "C12345",
        "password": KEY,
        "mobile": "13800138000",
        "content": TEXT,
        "format": "json",
    }
    assert isinstance(outcome, Accepted)
    assert (outcome.gateway_id, outcome.reply.code, outcome.stage) == ("16", 2, "answer")
    assert sender.marks == 1


@pytest.mark.parametrize("smsid", [["16"], {"id": 16}, None, 0, "0", True])
async def test_an_id_that_is_none_keeps_no_message_from_being_taken(
    smsid: object, httpserver: HTTPServer, sender: Sender
) -> None:
    outcome, _ = await asked(httpserver, sender, {"code": 2, "msg": "ok", "smsid": smsid})

    assert isinstance(outcome, Accepted)
    assert outcome.gateway_id is None


async def test_the_dynamic_password_is_the_md5_of_all_that_is_sent(
    httpserver: HTTPServer, sender: Sender
) -> None:
    _, request = await asked(httpserver, sender, sign=True)

    fields = form(request)
    time = fields["time"]
    expected = hashlib.md5(  # noqa: S324  # the protocol's
        b"C12345" + KEY.encode() + b"13800138000" + TEXT.encode() + time.encode()
    ).hexdigest()
    assert len(time) == 10
    assert time.isdigit()
    assert fields["password"] == expected
    assert KEY not in request.get_data().decode()


@pytest.mark.parametrize("sign", [False, True])
async def test_the_transcript_shows_neither_key_nor_signature_nor_text(
    sign: bool, httpserver: HTTPServer, sender: Sender
) -> None:
    echo = {"code": 2, "msg": f"got {TEXT} by {KEY}", "smsid": "16"}
    _, request = await asked(httpserver, sender, echo, sign=sign)

    told = "\n".join(sender.lines)
    assert "C: POST http://" in told
    assert "account=C12345" in told
    assert "13800138000" in told
    assert "S: 200" in told
    for secret in (KEY, form(request)["password"], TEXT, "482913", "验证码"):
        assert secret not in told


@pytest.mark.parametrize(
    ("number", "blame", "ends_use"),
    [
        (0, Blame.MESSAGE, False),
        (4030, Blame.RECIPIENT, False),
        (406, Blame.RECIPIENT, False),
        (407, Blame.MESSAGE, False),
        (4072, Blame.MESSAGE, False),
        (99999, Blame.MESSAGE, False),
        (405, Blame.SERVER, True),
        (4050, Blame.SERVER, True),
        (4051, Blame.SERVER, True),
        (40501, Blame.SERVER, True),
    ],
)
async def test_a_refusal_is_told_with_its_code_and_its_text(
    number: int, blame: Blame, ends_use: bool, httpserver: HTTPServer, sender: Sender
) -> None:
    outcome, _ = await asked(httpserver, sender, {"code": number, "msg": "不行", "smsid": "0"})

    assert isinstance(outcome, PermanentFailure)
    assert (outcome.blame, outcome.ends_use) == (blame, ends_use)
    assert outcome.reply is not None
    assert outcome.reply.code == number
    assert "不行" in outcome.reason


@pytest.mark.parametrize("number", [4080, 4082, 4085, 4086, "4085"])
async def test_too_often_to_one_number_is_tried_again_and_holds_up_nobody_else(
    number: int | str, httpserver: HTTPServer, sender: Sender
) -> None:
    outcome, _ = await asked(httpserver, sender, {"code": number, "msg": "频繁", "smsid": "0"})

    assert isinstance(outcome, TransientFailure)
    assert (outcome.blame, outcome.is_counted) == (Blame.RECIPIENT, True)


@pytest.mark.parametrize(
    ("status", "kind", "blame"),
    [
        (500, TransientFailure, Blame.SERVER),
        (502, TransientFailure, Blame.SERVER),
        (503, TransientFailure, Blame.SERVER),
        (429, TransientFailure, Blame.SERVER),
        (408, TransientFailure, Blame.SERVER),
        (401, PermanentFailure, Blame.SERVER),
        (403, PermanentFailure, Blame.SERVER),
        (404, PermanentFailure, Blame.SERVER),
        (400, PermanentFailure, Blame.MESSAGE),
        (422, PermanentFailure, Blame.MESSAGE),
    ],
)
async def test_a_status_is_its_outcome_whatever_its_page_says(
    status: int, kind: type[Outcome], blame: Blame, httpserver: HTTPServer, sender: Sender
) -> None:
    page = Response("<html>\r\n\x1b[2J<h1>Sorry</h1>\n</html>", status, content_type="text/html")
    httpserver.expect_request(PATH).respond_with_response(page)

    outcome = await sender.send(ihuyi(httpserver.url_for(PATH)))

    assert isinstance(outcome, kind)
    assert isinstance(outcome, TransientFailure | PermanentFailure)
    assert outcome.blame is blame
    assert str(status) in outcome.reason
    assert "Sorry" in outcome.reason
    assert outcome.reason.isprintable()


async def test_429_is_left_alone_for_as_long_as_it_asks(
    httpserver: HTTPServer, sender: Sender
) -> None:
    slow = Response("slow down", 429, headers={"Retry-After": "120"})
    httpserver.expect_request(PATH).respond_with_response(slow)

    outcome = await sender.send(ihuyi(httpserver.url_for(PATH)))

    assert isinstance(outcome, TransientFailure)
    assert (outcome.retry_after, outcome.overload) == (120.0, Overload.SERVER)


async def test_a_redirect_is_not_followed_and_says_where_it_led(
    httpserver: HTTPServer, sender: Sender
) -> None:
    httpserver.expect_request("/elsewhere").respond_with_json({"code": 2})
    away = Response("", 307, headers={"Location": httpserver.url_for("/elsewhere")})
    httpserver.expect_request(PATH).respond_with_response(away)

    outcome = await sender.send(ihuyi(httpserver.url_for(PATH)))

    assert isinstance(outcome, PermanentFailure)
    assert outcome.ends_use
    assert "/elsewhere" in outcome.reason
    assert "not followed" in outcome.reason
    assert [request.path for request, _ in httpserver.log] == [PATH]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"<html>Welcome to the hotel</html>", "is no JSON: <html>Welcome"),
        (b"", "is no JSON: empty"),
        (b'{"code": 2, "msg"', "is no JSON"),
        (b'{"state": "fine"}', "does not say what became of it"),
        (b"[1, 2]", "does not say what became of it"),
        (b'{"code": true}', "does not say what became of it"),
        (b'{"code": 99999999999999999999}', "does not say what became of it"),
        (b"[" * 50_000, "is no JSON"),
        (b"x" * (MAX_ANSWER_BYTES + 1), "more than"),
    ],
    ids=["html", "empty", "cut json", "other json", "list", "no code", "long", "deep", "endless"],
)
async def test_an_answer_that_says_nothing_is_a_doubt(
    body: bytes, sentence: str, httpserver: HTTPServer, sender: Sender
) -> None:
    httpserver.expect_request(PATH).respond_with_data(body)

    outcome = await sender.send(ihuyi(httpserver.url_for(PATH)))

    assert isinstance(outcome, InDoubt)
    assert sentence in outcome.reason
    assert outcome.reason.startswith("sent, and ")


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        (None, "the connection ended"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "the connection ended"),
        (answer('{"code": 2, "msg": "ok", "smsid": "1"}')[:-5], "broke off"),
        (b"220 mail.example.com ESMTP\r\n\r\n", "no HTTP"),
        ("hang", "no answer within"),
    ],
    ids=["silence", "cut head", "cut body", "no http", "slow"],
)
async def test_what_breaks_behind_the_request_is_a_doubt(
    said: bytes | str | None, sentence: str, sender: Sender
) -> None:
    async with scripted_gateway(lambda *_: said) as gateway:
        gateway.hangs_up = True
        outcome = await sender.send(
            ihuyi(gateway.endpoint, timeout=2.0 if said == "hang" else 60.0)
        )

    assert isinstance(outcome, InDoubt)
    assert sentence in outcome.reason
    assert len(gateway.arrivals) == 1
    assert sender.marks == 1


async def test_no_connection_is_nobodys_doubt(sender: Sender) -> None:
    with socket.socket() as idle:
        idle.bind(("127.0.0.1", 0))  # and does not listen: nobody else is given its port
        port = idle.getsockname()[1]
        with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port} cannot be reached"):
            await sender.send(ihuyi(f"http://127.0.0.1:{port}/"))

    assert sender.marks == 0


async def test_the_mark_is_awaited_before_the_first_byte(sender: Sender) -> None:
    seen: list[int] = []
    async with scripted_gateway() as gateway:

        async def mark() -> None:
            seen.append(len(gateway.arrivals))

        await sender.send(ihuyi(gateway.endpoint), mark=mark)

    assert seen == [0]
    assert len(gateway.arrivals) == 1


@pytest.mark.parametrize("where", ["check", "mark"])
async def test_what_check_or_mark_raises_is_passed_on_and_nothing_is_sent(
    where: str, sender: Sender
) -> None:
    class Refused(Exception):
        pass

    def check() -> None:
        if where == "check":
            raise Refused

    async def mark() -> None:
        if where == "mark":
            raise Refused

    async with scripted_gateway() as gateway:
        with pytest.raises(Refused):
            await sender.send(ihuyi(gateway.endpoint), check=check, mark=mark)

    assert gateway.arrivals == []


async def test_a_key_that_was_refused_is_read_again_before_it_counts(sender: Sender) -> None:
    def answering(arrival: Any, nth: int) -> bytes:
        is_new = arrival.fields["password"] == "new"
        return answer('{"code": 2, "msg": "ok", "smsid": "7"}') if is_new else code(405)

    async with scripted_gateway(answering) as gateway:
        outcome = await sender.send(ihuyi(gateway.endpoint), key=FixedKey("old", "new"))

    assert isinstance(outcome, Accepted)
    assert [arrival.fields["password"] for arrival in gateway.arrivals] == ["old", "new"]
    assert sender.marks == 1


async def test_a_key_that_stays_refused_is_not_tried_again(sender: Sender) -> None:
    async with scripted_gateway(lambda *_: code(405)) as gateway:
        outcome = await sender.send(ihuyi(gateway.endpoint))

    assert isinstance(outcome, PermanentFailure)
    assert outcome.ends_use
    assert "API KEY" in outcome.reason
    assert len(gateway.arrivals) == 1


def tls_of(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_a_certificate_that_is_not_trusted_gets_nothing(sender: Sender) -> None:
    async with scripted_gateway(tls=tls_of(trustme.CA())) as gateway:
        outcome = await sender.send(ihuyi(gateway.endpoint))

    assert gateway.arrivals == []
    assert isinstance(outcome, PermanentFailure)
    assert outcome.ends_use
    assert not outcome.is_counted
    assert "no TLS to trust" in outcome.reason
    assert sender.marks == 0


async def test_a_certificate_of_ca_file_is_trusted(sender: Sender, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with scripted_gateway(tls=tls_of(authority)) as gateway:
        outcome = await sender.send(ihuyi(gateway.endpoint, ca_file=tmp_path / "ca.pem"))

    assert isinstance(outcome, Accepted)


async def test_an_answer_that_is_packed_unasked_is_unpacked(sender: Sender) -> None:
    packed = gzip.compress(b'{"code": 2, "msg": "ok", "smsid": "9"}')
    said = answer(packed, Content_Encoding="gzip")
    async with scripted_gateway(lambda *_: said) as gateway:
        outcome = await sender.send(ihuyi(gateway.endpoint))

    assert isinstance(outcome, Accepted)
    assert outcome.gateway_id == "9"
    assert gateway.arrivals[0].headers["accept-encoding"] == "identity"


async def test_a_bomb_is_no_answer(sender: Sender) -> None:
    said = answer(gzip.compress(b"[" * 50_000_000), Content_Encoding="gzip")
    async with scripted_gateway(lambda *_: said) as gateway:
        outcome = await sender.send(ihuyi(gateway.endpoint))

    assert isinstance(outcome, InDoubt)
