import asyncio
from pathlib import Path
from typing import Any

import pytest

from bulkmail.child_environment import OURS
from bulkmail.errors import AuthenticationFailed
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, Security, ServerSettings
from bulkmail.transport.password import Password


def from_source(source: PasswordSource | None, timeout: float = 30.0) -> Password:
    return Password(
        ServerSettings(
            name="mx",
            host="mx.example",
            port=587,
            security=Security.NONE,
            username="li",
            password=source,
            timeout=timeout,
        )
    )


async def test_a_secret_is_the_password() -> None:
    password = from_source(PasswordSource(secret=Secret("s3cret")))

    assert (await password.current()).reveal() == "s3cret"


@pytest.mark.parametrize(
    "content", [b"s3cret", b"s3cret\n", b"s3cret\r\nmore\n", b"\xef\xbb\xbfs3cret\n"]
)
async def test_the_first_line_of_a_file_is_the_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "password").write_bytes(content)
    password = from_source(PasswordSource(file=tmp_path / "password"))

    assert (await password.current()).reveal() == "s3cret"


async def test_a_command_s_output_is_the_password_and_it_runs_once(tmp_path: Path) -> None:
    script = f"echo x >> {tmp_path}/ran; echo 'päss wort'"
    password = from_source(PasswordSource(command=("sh", "-c", script)))

    both = await asyncio.gather(password.current(), password.current())

    assert [secret.reveal() for secret in both] == ["päss wort", "päss wort"]
    assert (tmp_path / "ran").read_text() == "x\n"


async def test_a_command_finds_nothing_in_its_environment_that_we_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(*OURS)
    monkeypatch.setenv("THEIRS", "kept")
    script = f"echo ${{{OURS[0]}-absent}} $THEIRS"
    password = from_source(PasswordSource(command=("sh", "-c", script)))

    assert (await password.current()).reveal() == "absent kept"


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "but no password"),
        (PasswordSource(file=Path("/nowhere/password")), "/nowhere/password cannot be read: No"),
        (PasswordSource(file=Path("/dev/null")), "/dev/null is a pipe or a device"),
        (
            PasswordSource(command=("/nowhere/command",)),
            "command` cannot be run: No such",
        ),
        (PasswordSource(command=("sh", "-c", "echo s3cret; exit 3")), "`sh` ended with status 3"),
        (PasswordSource(command=("true",)), "`true` gave no password"),
        (PasswordSource(command=("printf", r"\377\n")), "`printf` gave no password"),
    ],
)
async def test_a_source_that_gives_nothing_says_why(
    source: PasswordSource | None, sentence: str
) -> None:
    with pytest.raises(AuthenticationFailed, match=sentence) as caught:
        await from_source(source).current()

    assert (caught.value.host, caught.value.stage) == ("mx.example:587", "auth")
    assert caught.value.code is None
    assert "s3cret" not in str(caught.value)


async def test_a_command_that_hangs_is_ended() -> None:
    password = from_source(PasswordSource(command=("sleep", "60")), timeout=0.05)

    with pytest.raises(AuthenticationFailed, match=r"took longer than 0\.05 s"):
        await password.current()


async def test_a_cancelled_command_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
    create = asyncio.create_subprocess_exec

    async def remembered(*command: str, **streams: Any) -> asyncio.subprocess.Process:
        process = await create(*command, **streams)
        begun.put_nowait(process)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", remembered)
    password = from_source(PasswordSource(command=("sleep", "60")))
    reading = asyncio.create_task(password.current())
    process = await begun.get()

    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading
    assert process.returncode is not None


async def test_renewing_asks_the_source_again_only_for_what_was_refused(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old\n")
    password = from_source(PasswordSource(file=path))
    old = await password.current()

    assert not await password.renew(old)
    path.write_text("new\n")
    assert await password.renew(await password.current())
    assert (await password.current()).reveal() == "new"
    # Another session, refused with the old one meanwhile, gets the new one without a look.
    path.write_text("newest\n")
    assert await password.renew(old)
    assert (await password.current()).reveal() == "new"


async def test_a_plain_secret_cannot_be_renewed() -> None:
    password = from_source(PasswordSource(secret=Secret("s3cret")))

    assert not await password.renew(await password.current())
