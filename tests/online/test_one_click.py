"""The endpoint is asked as a mail provider asks it."""

from __future__ import annotations

import httpx2
import pytest

from bulkmail.online.one_click import one_click

URL = "https://example.com/u?t=1abc"


@pytest.mark.parametrize(
    ("status", "is_good", "told"),
    [
        (200, True, "answers a POST with 200"),
        (202, True, "202"),
        (302, False, "a redirect"),
        (400, True, "refuses the token of nobody"),
        (401, False, "no login there"),
        (404, False, "nobody is there"),
        (405, False, "has to take POST"),
        (500, False, "nobody is there"),
    ],
)
async def test_its_answer_is_judged(status: int, is_good: bool, told: str) -> None:
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(status, headers={"Location": "https://example.net/"})

    finding = await one_click(URL, transport=httpx2.MockTransport(answer))

    assert (finding.is_good, finding.is_fault) == (is_good, False)
    assert told in finding.sentence
    assert "1abc" not in finding.sentence
    assert [(request.method, str(request.url)) for request in asked] == [("POST", URL)]
    assert asked[0].content == b"List-Unsubscribe=One-Click"


async def test_no_answer_is_said_so() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    finding = await one_click(URL, transport=httpx2.MockTransport(refuse))

    assert finding.is_good is False
    assert "no answer to a POST (ConnectError)" in finding.sentence
