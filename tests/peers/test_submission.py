"""A campaign through Postfix: TLS, logins, and what is fetched again at the other end."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from peers.dovecot import Dovecot
from peers.mailbox import fetch_all
from peers.postfix import Postfix
from peers.project import (
    Project,
    implicit_tls,
    letter_project,
    offer_letter_project,
    starttls,
)
from peers.waiting import until

pytestmark = pytest.mark.peers

#: Fields that a server adds on the way, and the one that holds the instant of composing.
TRACE = {b"received", b"return-path", b"delivered-to", b"date"}


def without_trace(message: bytes) -> bytes:
    """The message without its trace fields and Date; every other byte as it is."""
    header, _, body = message.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    for line in header.split(b"\r\n"):
        is_folded = line[:1] in b" \t"
        if is_folded and kept:
            kept[-1] += b"\r\n" + line
        else:
            kept.append(line)
    fields = [field for field in kept if field.partition(b":")[0].lower() not in TRACE]
    return b"\r\n".join(fields) + b"\r\n\r\n" + body


def attachments(message: bytes) -> dict[str, bytes]:
    """File name to content, decoded by the standard library."""
    parsed = message_from_bytes(message, _class=EmailMessage, policy=policy.SMTP)
    return {part.get_filename("?"): part.get_content() for part in parsed.iter_attachments()}


@pytest.mark.parametrize("server", [starttls, implicit_tls], ids=["starttls", "implicit tls"])
def test_letter_arrives_over_tls(
    server: Callable[[Postfix], dict[str, object]],
    postfix: Postfix,
    dovecot: Dovecot,
    tmp_path: Path,
) -> None:
    address = f"{server.__name__}@example.org"
    project = letter_project(tmp_path, server(postfix), [address])

    run = project.send()

    assert run.code == 0, run.errors
    until(lambda: bool(fetch_all(dovecot, address)), what="delivery")
    assert b"\r\n\r\nHello Reader 0.\r\n" in fetch_all(dovecot, address)[0]


@pytest.mark.parametrize("mechanism", ["plain", "login", "cram-md5", "scram-sha-256"])
def test_login_by_each_mechanism(mechanism: str, postfix: Postfix, tmp_path: Path) -> None:
    project = letter_project(
        tmp_path, starttls(postfix, auth=mechanism), [f"{mechanism}@example.org"]
    )
    logins = postfix.log().count(f"sasl_method={mechanism.upper()}, sasl_username=people@")

    run = project.send()

    assert run.code == 0, run.errors
    until(
        lambda: (
            postfix.log().count(f"sasl_method={mechanism.upper()}, sasl_username=people@") > logins
        ),
        what="the login in Postfix's log",
    )


def test_auto_takes_the_strongest_mechanism(postfix: Postfix, tmp_path: Path) -> None:
    project = letter_project(tmp_path, starttls(postfix), ["auto@example.org"])

    run = project.send("--transcript", "transcript.txt")

    assert run.code == 0, run.errors
    transcript = (tmp_path / "transcript.txt").read_text("utf-8")
    assert "AUTH SCRAM-SHA-256" in transcript


@pytest.mark.parametrize("mechanism", ["plain", "login", "cram-md5", "scram-sha-256"])
def test_wrong_password_sends_nothing(mechanism: str, postfix: Postfix, tmp_path: Path) -> None:
    recipients = [f"untouched{n}@example.org" for n in range(20)]
    project = letter_project(tmp_path, starttls(postfix, auth=mechanism), recipients)
    accepted = postfix.accepted()
    refused = postfix.log().count("authentication failed")

    run = project.send(password="wrong horse")

    assert run.code == 3
    assert "535" in run.errors
    assert "wrong horse" not in run.output + run.errors
    assert run.summary["pending"] == 20
    assert {row["state"] for row in project.report()} == {"pending"}
    assert postfix.accepted() == accepted
    assert postfix.log().count("authentication failed") == refused + 1, "one try, not one each"


def test_untrusted_certificate_sends_nothing(postfix: Postfix, tmp_path: Path) -> None:
    server = {key: value for key, value in starttls(postfix).items() if key != "ca_file"}
    project = letter_project(tmp_path, server, ["untouched@example.org"])

    run = project.send()

    assert run.code == 3
    assert "certificate" in run.errors.lower()
    assert run.summary["pending"] == 1


def test_two_hundred_offer_letters_arrive_as_the_dry_run_showed_them(
    postfix: Postfix, dovecot: Dovecot, tmp_path: Path
) -> None:
    project = offer_letter_project(tmp_path, starttls(postfix, connections=4), 200)

    rehearsal = project.send("--dry-run", "--out", "rehearsal")
    run = project.send()

    assert rehearsal.code == 0, rehearsal.errors
    assert run.code == 0, run.errors
    assert run.summary["sent"] == run.summary["total"] == 200
    rows = project.report()
    assert {row["state"] for row in rows} == {"sent"}
    until(
        lambda: all(fetch_all(dovecot, row["email"]) for row in rows),
        what="200 deliveries",
        seconds=120,
    )
    for row in rows:
        assert_equal_to_rehearsal(project, dovecot, row["row"], row["email"])


def assert_equal_to_rehearsal(
    project: Project, dovecot: Dovecot, number: int, address: str
) -> None:
    """What `address` got is the dry run's file, and holds that person's files."""
    (fetched,) = fetch_all(dovecot, address)
    rehearsed = project.folder / "rehearsal" / "offer-letter" / f"{number:06}-{address}.eml"
    handbook, letter = attachments(fetched).values()
    campaigns = project.folder / "campaigns"
    assert without_trace(fetched) == without_trace(rehearsed.read_bytes()), address
    assert handbook == (campaigns / "handbook.pdf").read_bytes(), address
    assert letter == (campaigns / "letters" / f"P-{number - 1:04}.pdf").read_bytes(), address
