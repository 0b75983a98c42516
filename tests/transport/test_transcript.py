import stat
from pathlib import Path

import pytest

from bulkmail.errors import ConfigurationError
from bulkmail.secret import Secret
from bulkmail.smtp.commands import Auth, AuthResponse, Greeting, Noop
from bulkmail.smtp.reply import Reply
from bulkmail.transport.transcript import Transcript, human_size, transcript_file


def test_both_sides_are_told_and_secrets_are_not() -> None:
    lines: list[str] = []
    scribe = Transcript(lines.append).begin()

    scribe.sent([Greeting(), Auth("PLAIN", Secret("AGxp")), AuthResponse(Secret("AGxp")), Noop()])
    scribe.received(Reply(250, ("first", "", "last")))
    scribe.received(Reply(250, ("",)))
    scribe.poured(421_874)
    scribe.note("TLS 1.3")

    assert lines == [
        "C: AUTH PLAIN ********",
        "C: ********",
        "C: NOOP",
        "S: 250-first",
        "S: 250-",
        "S: 250 last",
        "S: 250",
        "C: [412 kB of content]",
        "  TLS 1.3",
    ]


def test_connections_that_are_open_at_once_have_numbers() -> None:
    lines: list[str] = []
    transcript = Transcript(lines.append)
    first, second = transcript.begin(), transcript.begin()

    first.sent([Noop()])
    second.sent([Noop()])
    first.end()
    transcript.begin().sent([Noop()])
    transcript.begin().sent([Noop()])

    assert lines == [
        "C: NOOP",
        "  — connection 2 —",
        "C: NOOP",
        "  — connection 1 —",
        "C: NOOP",
        "  — connection 3 —",
        "C: NOOP",
    ]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 kB"),
        (5 * 1024**2, "5 MB"),
        (3 * 2**30, "3.0 GB"),
    ],
)
def test_sizes_are_for_people(size: int, text: str) -> None:
    assert human_size(size) == text


async def test_a_file_is_appended_to_and_private(tmp_path: Path) -> None:
    path = tmp_path / "transcript.txt"
    for _ in range(2):
        async with transcript_file(path) as transcript:
            scribe = transcript.begin()
            scribe.sent([Noop()])
            scribe.received(Reply(250, ("好",)))

    assert path.read_text("utf-8") == "C: NOOP\nS: 250 好\n" * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert transcript.fault == ""


async def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.*cannot be written"):
        async with transcript_file(tmp_path / "nowhere" / "transcript.txt"):
            pass


async def test_a_full_disk_does_not_stop_the_session() -> None:
    async with transcript_file(Path("/dev/full")) as transcript:
        transcript.begin().sent([Noop()])

    assert "No space left" in transcript.fault
