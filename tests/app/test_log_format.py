"""The log as JSON, on the whole road: each try a record, its session's TLS in it."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
import trustme
from support.mail_project import PEOPLE, MailProject
from support.scripted_server import scripted


@pytest.mark.parametrize("security", ["none", "starttls"])
@pytest.mark.parametrize("processes", [1, 2])
async def test_each_try_is_a_record(
    project: MailProject, tmp_path: Path, security: str, processes: int
) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(project.root / "ca.pem"))
    async with scripted(tls=context) as server:
        keys = {"ca_file": "ca.pem"} if security == "starttls" else {}
        project.servers(server.url(security=security, **keys))
        await project.send(log_format="json", processes=processes)

    lines = (project.root / ".bulkmail" / "bulkmail.log").read_text("utf-8").splitlines()
    records = [record for record in map(json.loads, lines) if record["event"] == "attempt"]
    assert sorted(record["key"] for record in records) == sorted(PEOPLE)
    assert {record["campaign"] for record in records} == {"letter"}
    assert {record["state"] for record in records} == {"sent"}
    assert {record["tls"] for record in records} == {None if security == "none" else "TLSv1.3"}
