"""The golden corpus, sent and written: a server gets the bytes of the dry run at one instant."""

from __future__ import annotations

import email
from dataclasses import replace
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
from support.corpus import Case, cases

from bulkmail import SendOptions, send
from bulkmail.sink import Sink, SinkSettings

GOOD = [case for case in cases() if "fault" not in case.expect]
ADDRESS = "li.wei@example.com"


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
async def test_a_server_gets_the_bytes_of_the_dry_run(case: Case, tmp_path: Path) -> None:
    async with Sink(SinkSettings(directory=tmp_path / "kept", tls="none")) as sink:
        server = {"host": sink.host, "port": sink.port, "security": "none"}
        keys = {"recipients": [{"email": ADDRESS} | case.row], "servers": [server]}
        campaign = replace(case, keys=case.keys | keys).campaign(tmp_path)

        summary = await send(campaign, SendOptions(), environ={})

    (taken,) = [path.read_bytes() for path in (tmp_path / "kept").glob("*.eml")]
    instant = parsedate_to_datetime(email.message_from_bytes(taken)["Date"])
    written = SendOptions(dry_run=True, out=tmp_path / "out", date=instant)
    await send(campaign, written, environ={})
    (file,) = (tmp_path / "out").rglob("*.eml")
    assert summary.exit_code == 0
    assert file.read_bytes() == taken
