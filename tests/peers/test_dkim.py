"""Signatures of the shipped examples, held against two verifiers, before and behind Postfix."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from message.dkim_peer import Peer
from peers import opendkim
from peers.dovecot import Dovecot
from peers.mailbox import fetch_all
from peers.postfix import Postfix
from peers.project import REPOSITORY, Project, starttls, write_server
from peers.waiting import until

from bulkmail.message.dkim.key import DkimKey

pytestmark = pytest.mark.peers

BOTH = {"rsa-sha256": "pass", "ed25519-sha256": "pass"}
KEYS = [DkimKey.new("example.com", "r1", "rsa"), DkimKey.new("example.com", "e1", "ed25519")]


def signed_project(folder: Path, name: str, postfix: Postfix) -> Project:
    """A shipped example that signs with both kinds of keys."""
    for part in ("campaigns", "templates"):
        shutil.copytree(REPOSITORY / part, folder / part)
    write_server(folder, "demo", starttls(postfix))
    written = []
    for key in KEYS:
        (folder / f"{key.selector}.pem").write_text(key.pem().reveal(), "ascii")
        pem = f"{{file: {key.selector}.pem}}"
        written.append(f"{{domain: {key.domain}, selector: {key.selector}, key: {pem}}}")
    with (folder / "campaigns" / f"{name}.yaml").open("a", encoding="utf-8") as file:
        file.write(f"\ndkim: [{', '.join(written)}]\n")
    return Project(folder, name)


def assert_all_hold(paths: Sequence[Path], folder: Path) -> None:
    peer = Peer(KEYS)
    for path in paths:
        assert peer.verdicts(path.read_bytes()) == [True, True], path.name
    assert opendkim.verdicts(paths, KEYS, folder) == [BOTH] * len(paths)


@pytest.mark.parametrize("name", ["offer-letter", "activation", "newsletter"])
def test_signatures_hold_in_files_and_behind_postfix(
    name: str, postfix: Postfix, dovecot: Dovecot, tmp_path: Path
) -> None:
    project = signed_project(tmp_path, name, postfix)

    rehearsal = project.send("--dry-run", "--out", "rehearsal")
    run = project.send()

    assert (rehearsal.code, run.code) == (0, 0), rehearsal.errors + run.errors
    written = sorted((tmp_path / "rehearsal" / name).glob("*.eml"))
    rows = project.report()
    assert len(written) == len(rows) == run.summary["sent"] > 0
    assert_all_hold(written, tmp_path)
    until(
        lambda: all(fetch_all(dovecot, row["email"]) for row in rows),
        what=f"{len(rows)} deliveries",
        seconds=120,
    )
    fetched = []
    for row in rows:
        # Other tests may have written to the same reader: the newest is ours.
        fetched.append(tmp_path / f"{row['row']}.eml")
        fetched[-1].write_bytes(
            next(
                message
                for message in fetch_all(dovecot, row["email"])
                if row["message_id"].encode() in message and b"\nDKIM-Signature:" in message
            )
        )
    assert_all_hold(fetched, tmp_path)


def test_opendkim_notices_a_change(postfix: Postfix, tmp_path: Path) -> None:
    project = signed_project(tmp_path, "newsletter", postfix)
    assert project.send("--dry-run", "--out", "rehearsal").code == 0
    path = min((tmp_path / "rehearsal" / "newsletter").glob("*.eml"))

    path.write_bytes(path.read_bytes().replace(b"Field Notes 12", b"Field Notes 13"))

    assert set(opendkim.verdicts([path], KEYS, tmp_path)[0].values()) == {"fail"}
