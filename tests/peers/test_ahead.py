"""Messages ahead of their replies, through a Postfix that forbids what it did not allow."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import pytest
from peers.dovecot import Dovecot
from peers.mailbox import fetch_all
from peers.postfix import UNKNOWN, Postfix
from peers.project import letter_project, starttls
from peers.waiting import until

pytestmark = pytest.mark.peers

ROWS = 40


@pytest.mark.parametrize("window", [1, 8], ids=["glue", "BDAT"])
def test_everybody_gets_it_once_and_who_is_unknown_is_told(
    window: int, postfix: Postfix, dovecot: Dovecot, tmp_path: Path
) -> None:
    known = [f"ahead{window}@example.org"] + [
        f"w{window}.{n}@example.org" for n in range(ROWS) if n % 7
    ]
    unknown = [f"w{window}.{n}@{UNKNOWN}" for n in range(0, ROWS, 7)]
    mixed = [address for pair in zip(known, unknown, strict=False) for address in pair]
    recipients = mixed + known[len(unknown) :]
    server = starttls(postfix, window=window, connections=2)
    project = letter_project(tmp_path, server, recipients)
    transcript = tmp_path / "transcript.txt"
    accepted = postfix.accepted()

    run = project.send("--transcript", str(transcript))

    assert run.code == 1, run.errors
    assert (run.summary["sent"], run.summary["failed"]) == (len(known), len(unknown))
    failed = {row["email"]: row["code"] for row in project.report() if row["state"] == "failed"}
    assert failed == dict.fromkeys(unknown, 550)
    until(lambda: postfix.accepted() >= accepted + len(known), what="acceptance")
    for address in known:
        until(partial(_has_letters, dovecot, address), what="delivery")
        assert len(fetch_all(dovecot, address)) == 1, address
    lines = transcript.read_text("utf-8").splitlines()
    verbs = [line.split()[1] for line in lines if line.startswith("C: ")]
    assert ("BDAT" in verbs) is (window > 1)
    behind_a_dot = sum(pair == (".", "MAIL") for pair in itertools.pairwise(verbs))
    assert window > 1 or behind_a_dot > len(known) // 2
    assert not any(line.startswith("S: 503") for line in lines)


def _has_letters(dovecot: Dovecot, address: str) -> bool:
    return bool(fetch_all(dovecot, address))
