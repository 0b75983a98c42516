import asyncio
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkmail.delivery.ports import Session, Transport
from bulkmail.errors import ConfigurationError
from bulkmail.message.eml_name import NAME_MAX, eml_name, folder_name, is_eml_name
from bulkmail.message.mail_object import MailObject
from bulkmail.smtp.envelope import Envelope
from bulkmail.smtp.transaction import TransactionResult
from bulkmail.transport import eml
from bulkmail.transport.eml import EmlTransport
from bulkmail.transport.eml_process import WriterProcess

CONTENT = (b"Subject: hi\r\n\r\n", b".dot\r\n", b"bye\r\n")


def mail(row: int = 1, address: str = "li.wei@example.com", *also: str) -> MailObject:
    return MailObject(
        Envelope("people@example.com", (address, *also)),
        CONTENT,
        "<1@example.com>",
        row=row,
        address=address,
    )


async def nothing() -> None:
    """A mark that costs nothing."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def transport(tmp_path: Path) -> EmlTransport:
    return EmlTransport(tmp_path / "outbox", "offer")


async def test_it_is_a_transport_and_a_session(transport: EmlTransport) -> None:
    await transport.prepare()
    port: Transport = transport
    session: Session = await port.acquire()

    result = await session.send(mail(1, "li.wei@example.com", "boss@example.com"), nothing)

    assert isinstance(result, TransactionResult)
    assert result.is_accepted
    assert list(result.recipients) == ["li.wei@example.com", "boss@example.com"]
    assert result.refused == {}
    path = transport.folder / "000001-li.wei@example.com.eml"
    assert str(result.end_of_data) == f"250 2.0.0 kept as {path}"
    await port.release(session)
    await port.close()
    assert repr(transport) == f"<EmlTransport {transport.folder} | 1 written>"


async def test_the_file_holds_exactly_the_content(transport: EmlTransport) -> None:
    await transport.prepare()

    await transport.send(mail(42), nothing)

    kept = transport.folder / "000042-li.wei@example.com.eml"
    assert kept.read_bytes() == b"".join(CONTENT)
    assert names(transport.folder) == [kept.name]


async def test_the_name_is_the_address_as_written_not_as_encoded(transport: EmlTransport) -> None:
    await transport.prepare()
    envelope = Envelope("a@b.example", ("li@xn--fsqu00a.example",))

    await transport.send(
        MailObject(envelope, CONTENT, "<1@b>", row=7, address="li@例子.example"), nothing
    )
    await transport.send(MailObject(envelope, CONTENT, "<1@b>", row=8), nothing)

    assert names(transport.folder) == [
        "000007-li@__.example.eml",
        "000008-li@xn--fsqu00a.example.eml",
    ]


@pytest.mark.parametrize(
    ("number", "address", "name"),
    [
        (1, "a.b_c+d-e@x.example", "000001-a.b_c+d-e@x.example.eml"),
        (17, "../../etc/passwd", "000017-.._.._etc_passwd.eml"),
        (999_999, '"o r"@x.example', "999999-_o_r_@x.example.eml"),
        (1_000_000, "王芳@例子.中国", "1000000-__@__.__.eml"),
        (3, "", "000003-.eml"),
    ],
)
def test_names_are_those_of_the_contract(number: int, address: str, name: str) -> None:
    assert eml_name(number, address) == name


@given(st.integers(min_value=0, max_value=10**8), st.text(max_size=400))
def test_any_address_makes_one_portable_name(number: int, address: str) -> None:
    name = eml_name(number, address)

    assert is_eml_name(name)
    assert name.isascii()
    assert len(name) <= NAME_MAX
    assert int(name.partition("-")[0]) == number


@pytest.mark.parametrize(
    ("campaign", "folder"),
    [
        ("offer-letter-2026", "offer-letter-2026"),
        ("录用通知", "录用通知"),
        ("news@20261201T010000Z", "news@20261201T010000Z"),
        ("../up", ".._up"),
        ("a/b\\c\n", "a_b_c_"),
        ("..", "__"),
        (".", "_"),
        ("", "_"),
        ("录" * 100, "录" * 85),
    ],
)
def test_a_campaign_has_one_folder(campaign: str, folder: str) -> None:
    assert folder_name(campaign) == folder


async def test_letters_of_an_earlier_dry_run_are_removed_and_nothing_else(
    transport: EmlTransport,
) -> None:
    folder = transport.folder
    (folder / "000009-folder.eml").mkdir(parents=True)
    (folder / "sub").mkdir()
    other = folder.parent / "newsletter"
    other.mkdir()
    stay = [
        folder / "notes.txt",
        folder / "mine.eml",
        folder / "1-short@x.example.eml",
        folder / "sub" / "000001-a@x.example.eml",
        other / "000001-a@x.example.eml",
    ]
    go = [folder / "000001-a@x.example.eml", folder / "1000000-b.eml", folder / ".000003.part"]
    for path in [*stay, *go]:
        path.write_bytes(b"old")

    await transport.prepare()

    assert all(path.exists() for path in stay)
    assert not any(path.exists() for path in go)
    assert (folder / "000009-folder.eml").is_dir()


async def test_a_link_among_the_old_letters_does_not_lead_out(
    transport: EmlTransport, tmp_path: Path
) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"keep")
    transport.folder.mkdir(parents=True)
    (transport.folder / "000001-a@x.example.eml").symlink_to(precious)

    await transport.prepare()

    assert precious.read_bytes() == b"keep"
    assert names(transport.folder) == []


async def test_a_name_that_the_system_cannot_write_is_a_fault_of_the_option(tmp_path: Path) -> None:
    """As any beyond ASCII is under `LC_ALL=C PYTHONUTF8=0`; this one is everywhere."""
    with pytest.raises(ConfigurationError, match="--out: cannot be written: names of files are"):
        await EmlTransport(tmp_path / "\ud800", "offer").prepare()


async def test_an_unwritable_folder_is_a_fault_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file")
    transport = EmlTransport(tmp_path / "outbox", "offer")

    with pytest.raises(ConfigurationError) as caught:
        await transport.prepare()

    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        f"{tmp_path}/outbox/offer  --out: cannot be written: Not a directory. "
        "Name another folder, or make room"
    )


async def test_a_disk_that_fills_up_is_said_with_the_row(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await transport.prepare()

    def full(_path: str, _target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)

    with pytest.raises(ConfigurationError, match=r"No space left on device.*\(row 5\)"):
        await transport.send(mail(5), nothing)

    assert names(transport.folder) == []
    assert transport.written == 0


async def test_a_mark_that_fails_leaves_no_file(transport: EmlTransport) -> None:
    await transport.prepare()

    async def lost() -> None:
        raise LookupError("the claim is gone")

    with pytest.raises(LookupError):
        await transport.send(mail(), lost)

    assert names(transport.folder) == []


async def test_a_cancelled_write_leaves_a_whole_file(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await transport.prepare()
    started, go_on, finished = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    class Slow(tuple[bytes, ...]):
        __slots__ = ()

        def __iter__(self):  # type: ignore[no-untyped-def]  # a generator, for `writelines`
            yield b"first half "
            loop.call_soon_threadsafe(started.set)
            go_on.wait(10)
            yield b"second half"

    whole: Callable[[str, str], None] = os.replace

    def replace(partial: str, target: str) -> None:
        whole(partial, target)
        finished.set()

    monkeypatch.setattr(os, "replace", replace)
    chunks: Sequence[bytes] = Slow((b"",))
    letter = MailObject(mail().envelope, chunks, "<1@x>", row=1, address="a")  # type: ignore[arg-type]  # a tuple that waits
    task = asyncio.create_task(transport.send(letter, nothing))
    await started.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names(transport.folder) == [".000001.part"]
    go_on.set()
    assert await asyncio.to_thread(finished.wait, 60)

    assert names(transport.folder) == ["000001-a.eml"]
    assert (transport.folder / "000001-a.eml").read_bytes() == b"first half second half"


async def test_files_that_wait_together_are_one_thread_hop(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await transport.prepare()
    loop = asyncio.get_running_loop()
    hops = 0
    run = loop.run_in_executor

    def counted(*args: object) -> object:
        nonlocal hops
        hops += 1
        return run(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(loop, "run_in_executor", counted)

    await asyncio.gather(*(transport.send(mail(row), nothing) for row in range(1, 51)))

    assert (hops, transport.written) == (1, 50)
    assert len(names(transport.folder)) == 50


async def written_by_a_process(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> WriterProcess:
    """Letters enough for the transport to have its process, which is given back."""
    monkeypatch.setattr(eml, "_FEW", 1)
    await transport.prepare()
    await transport.send(mail(1), nothing)
    await transport.send(mail(2), nothing)
    assert transport._process is not None
    return transport._process


async def test_many_files_are_written_by_a_process(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await written_by_a_process(transport, monkeypatch)

    def never(*_: object) -> None:
        raise AssertionError("the process writes them")

    monkeypatch.setattr(eml, "write", never)
    await asyncio.gather(*(transport.send(mail(row), nothing) for row in range(3, 103)))
    await transport.close()

    assert len(names(transport.folder)) == transport.written == 102
    for path in transport.folder.iterdir():
        assert path.read_bytes() == b"".join(CONTENT)
    assert process._process.returncode == 0


async def test_what_goes_wrong_in_the_process_is_said_with_the_row(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written_by_a_process(transport, monkeypatch)
    (transport.folder / "000007-li.wei@example.com.eml").mkdir()

    results = await asyncio.gather(
        *(transport.send(mail(row), nothing) for row in (6, 7, 8)), return_exceptions=True
    )
    await transport.close()

    assert [isinstance(result, ConfigurationError) for result in results] == [False, True, False]
    assert "Is a directory" in str(results[1])
    assert "(row 7)" in str(results[1])
    assert not list(transport.folder.glob(".*"))


async def test_a_process_that_is_killed_is_done_without(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await written_by_a_process(transport, monkeypatch)
    process._process.kill()
    process._process.wait()

    await asyncio.gather(*(transport.send(mail(row), nothing) for row in range(3, 70)))
    await transport.close()

    assert len(names(transport.folder)) == 69


async def test_long_letters_are_written_without_the_process(
    transport: EmlTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = await written_by_a_process(transport, monkeypatch)
    process._process.kill()
    process._process.wait()
    monkeypatch.setattr(eml, "_SHORT", 1)

    await transport.send(mail(3), nothing)

    assert transport._process is process
    await transport.close()
