import json
import os
from pathlib import Path

import pytest

from bulkmail.errors import ConfigurationError
from bulkmail.sink.kept import ENVELOPES, Kept, KeptFolder


def keep(folder: KeptFolder, to: str = "li@x.example", content: bytes = b"hi\r\n") -> Kept:
    return folder.keep(content, reverse_path="a@b.example", forward_paths=[to, "z@x"], at=0.0)


def lines(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / ENVELOPES).read_text().splitlines()]


def test_a_message_is_a_file_and_a_line(tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path / "a" / "b")

    kept = keep(folder)
    folder.close()

    assert kept.path == tmp_path / "a" / "b" / "000001-li@x.example.eml"
    assert kept.path.read_bytes() == b"hi\r\n"
    assert lines(kept.path.parent) == [
        {
            "file": "000001-li@x.example.eml",
            "at": "1970-01-01T00:00:00Z",
            "mail_from": "a@b.example",
            "rcpt_tos": ["li@x.example", "z@x"],
            "size": 4,
        }
    ]


def test_an_address_that_is_not_utf8_still_makes_json(tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path)

    keep(folder, "\udcfc王@x")
    folder.close()

    assert lines(tmp_path)[0]["rcpt_tos"] == ["\udcfc王@x", "z@x"]
    assert "王" in (tmp_path / ENVELOPES).read_text()


def test_numbers_go_on_where_an_earlier_sink_ended(tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path)
    for _ in range(3):
        keep(folder)
    folder.close()
    (tmp_path / "000009-somebody@x.eml").touch()
    (tmp_path / "notes-000100.eml").touch()

    folder = KeptFolder(tmp_path)
    kept = keep(folder)
    folder.close()

    assert kept.number == 10
    assert folder.count == 1
    assert len(lines(tmp_path)) == 4


def test_what_a_killed_sink_left_half_done_is_removed(tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path)
    keep(folder)
    folder.close()
    (tmp_path / ".000002.part").write_bytes(b"ha")
    with (tmp_path / ENVELOPES).open("ab") as file:
        file.write(b'{"file": "000002-')

    folder = KeptFolder(tmp_path)
    keep(folder)
    folder.close()

    assert [line["file"] for line in lines(tmp_path)] == [
        "000001-li@x.example.eml",
        "000002-li@x.example.eml",
    ]
    assert not (tmp_path / ".000002.part").exists()


@pytest.mark.parametrize("before", [b"", b"{}\n", b"{}\n" * 50_000])
@pytest.mark.parametrize("cut", [b"", b"{", b"x" * 200_000])
def test_a_cut_line_is_dropped_however_long_it_is(
    tmp_path: Path, before: bytes, cut: bytes
) -> None:
    (tmp_path / ENVELOPES).write_bytes(before + cut)

    KeptFolder(tmp_path).close()

    assert (tmp_path / ENVELOPES).read_bytes() == before


def test_two_sinks_do_not_share_a_folder(tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path)

    with pytest.raises(ConfigurationError, match="another sink keeps its letters here"):
        KeptFolder(tmp_path)

    folder.close()
    KeptFolder(tmp_path).close()


def test_a_folder_that_cannot_be_is_a_fault_of_the_option(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError) as caught:
        KeptFolder(tmp_path / "file" / "sub")

    assert str(caught.value) == (
        f"{tmp_path}/file/sub  --dir: cannot be written: Not a directory. Name another folder"
    )


def test_a_folder_that_was_refused_is_let_go(tmp_path: Path) -> None:
    (tmp_path / ENVELOPES).mkdir()
    with pytest.raises(ConfigurationError, match="Is a directory"):
        KeptFolder(tmp_path)
    (tmp_path / ENVELOPES).rmdir()

    KeptFolder(tmp_path).close()


def test_a_file_that_cannot_be_written_leaves_nothing_and_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = KeptFolder(tmp_path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _full)
        with pytest.raises(OSError, match="No space"):
            keep(folder)
    kept = keep(folder)
    folder.close()

    assert kept.number == folder.count == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [kept.path.name, ENVELOPES]


def test_a_line_that_does_not_fit_takes_its_file_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = KeptFolder(tmp_path)
    keep(folder)

    class Full:
        """A disk that takes five bytes of the line."""

        def __init__(self) -> None:
            self.file = (tmp_path / ENVELOPES).open("ab", buffering=0)
            self.fileno, self.truncate = self.file.fileno, self.file.truncate

        def write(self, line: bytes) -> int:
            return self.file.write(line[:5]) or 0

        def close(self) -> None:
            self.file.close()

    full = Full()
    with monkeypatch.context() as patch:
        patch.setattr(folder, "_envelopes", full)
        with pytest.raises(OSError, match="No space"):
            keep(folder)
    full.close()
    folder.close()

    assert len(lines(tmp_path)) == 1
    assert len([name for name in os.listdir(tmp_path) if name.endswith(".eml")]) == 1  # noqa: PTH208  # names


def _full(_path: Path, _target: Path) -> Path:
    raise OSError(28, "No space left on device")
