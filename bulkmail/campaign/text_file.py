"""Text out of files that people made: encodings, line ends, and where they are wrong."""

from __future__ import annotations

import codecs
import io
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bulkmail.errors import ConfigurationError, Fault

#: Bytes read at once.
CHUNK_SIZE = 65536
#: Longest line taken as one: a bound on memory against files that are not text. 16 MiB.
MAX_LINE = 1 << 24

#: So many characters of three bytes are no chance.
_SURELY_UTF8 = 4

_HIGH_OCTETS = re.compile(rb"[\x80-\xff]+")
#: Letters, plain or in an encoding that is not known yet, that stand together.
_WORDS = re.compile(rb"[A-Za-z\x80-\xff]+")
#: What cp1252 has beside letters where Chinese encodings of old have no octets.
_TYPOGRAPHY = dict.fromkeys(map(ord, "€…‘’“”–—"))
_PLAIN_LETTER = re.compile(rb"[A-Za-z]")
_LONE_CR = re.compile(rb"(?<=\r)(?!\n|\Z)")


class Line(NamedTuple):
    """One physical line, its end included."""

    #: From 1.
    number: int
    text: str
    #: Why its bytes are not what the encoding says; its text then holds replacements.
    problem: str = ""


def displayed(path: Path) -> str:
    """The path as a user would name it: relative where it lies below the current folder."""
    absolute = os.path.abspath(path)  # noqa: PTH100  # resolve() would follow symlinks
    relative = os.path.relpath(absolute)
    return absolute if relative.startswith(os.pardir) else relative


def is_special(path: Path) -> bool:
    """Whether that is a pipe, a device or a socket: to open or to read one may never end.

    What a shell hands over (`/dev/stdin`, `<(…)`) is open already, and none: it has no name.
    """
    try:
        mode = os.stat(os.path.realpath(path)).st_mode  # noqa: PTH116  # resolve() raises
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_binary(path: Path) -> io.BufferedReader:
    """The file, opened. Raises `ConfigurationError` when it is missing, none, or not ours."""
    if is_special(path):
        raise ConfigurationError(_fault(path, "this is a pipe or a device, where a file belongs"))
    try:
        return io.BufferedReader(path.open("rb", buffering=0), CHUNK_SIZE)
    except FileNotFoundError as error:
        raise ConfigurationError(_fault(path, "there is no such file")) from error
    except IsADirectoryError as error:
        raise ConfigurationError(_fault(path, "this is a folder, where a file belongs")) from error
    except OSError as error:
        raise ConfigurationError(_fault(path, f"cannot be read: {error.strerror}")) from error


def text_encoding(name: str) -> str:
    """The codec to read with: UTF-8 also takes a BOM. Raises `ValueError` with a sentence."""
    try:
        canonical = codecs.lookup(name).name
        "".encode(canonical)
    except (LookupError, UnicodeError, ValueError) as error:
        raise ValueError(
            f"`{name}` is not an encoding known here, such as utf-8, gb18030 or big5"
        ) from error
    return "utf-8-sig" if canonical == "utf-8" else canonical


def text_chunks(path: Path, encoding: str = "utf-8-sig", advice: str = "") -> Iterator[str]:
    """The whole text, piece by piece. Raises `ConfigurationError` at the line with wrong bytes.

    `advice` ends the sentence where no better encoding is to be seen.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    line = 1
    with open_binary(path) as file:
        while True:
            chunk = file.read(CHUNK_SIZE)
            try:
                text = decoder.decode(chunk, final=not chunk)
            except UnicodeError as error:
                raise ConfigurationError(
                    _undecodable(path, line, error, encoding, advice)
                ) from error
            if text:
                yield text
            if not chunk:
                return
            line += text.count("\n")


def text_lines(path: Path, encoding: str = "utf-8-sig") -> Iterator[Line]:
    """The file's lines, ended by LF, CRLF or CR; one with wrong bytes says so and reading goes on.

    Encodings that are not ASCII where ASCII is meant (UTF-16, UTF-32) cannot be cut before they
    are decoded: in them a wrong byte raises `ConfigurationError`.
    """
    if "\n".encode(encoding.removesuffix("-sig")) != b"\n":
        yield from _lines_of_wide_text(path, encoding)
        return
    with open_binary(path) as file:
        for number, raw in enumerate(_raw_lines(file), 1):
            codec = encoding if number == 1 else encoding.removesuffix("-sig")
            yield _line(number, raw, codec)


def _line(number: int, raw: bytes, encoding: str) -> Line:
    try:
        return Line(number, raw.decode(encoding))
    except UnicodeError:
        return Line(number, raw.decode(encoding, "replace"), wrong_bytes(raw, encoding))


def _raw_lines(file: io.BufferedReader) -> Iterator[bytes]:
    while raw := file.readline(MAX_LINE):
        if b"\r" in raw and not (raw.endswith(b"\r\n") and raw.count(b"\r") == 1):
            yield from _LONE_CR.split(raw)
        else:
            yield raw


def _lines_of_wide_text(path: Path, encoding: str) -> Iterator[Line]:
    number, rest = 1, ""
    for chunk in text_chunks(path, encoding):
        lines = _split_lines(rest + chunk)
        rest = lines.pop()
        for text in lines:
            yield Line(number, text)
            number += 1
    if rest:
        yield Line(number, rest)


def _split_lines(text: str) -> list[str]:
    """Split after each LF; what follows the last one is the last part, perhaps empty."""
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + parts[-1:]


def is_utf8_after_all(path: Path, encoding: str) -> bool:
    """Whether a file said to be in another encoding is UTF-8, by a BOM or by its first bytes.

    Text in another encoding is hardly ever valid UTF-8; when it is by chance, it is so by pairs of
    bytes, not by threes.
    """
    if encoding.startswith("utf"):
        return False
    with open_binary(path) as file:
        sample = file.read(CHUNK_SIZE)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    by_threes = sum(character >= "\u0800" for character in text)
    return sample.startswith(codecs.BOM_UTF8) or by_threes >= _SURELY_UTF8


def wrong_bytes(sample: bytes, encoding: str, advice: str = "") -> str:
    """Why `sample` is not text in `encoding`, and which encoding it may be."""
    said = encoding.removesuffix("-sig")
    better = _better_encoding(sample, said)
    advice = f"try `encoding: {better}`" if better and not advice else advice
    return f"bytes that are not {said}" + (
        f": {advice}" if advice else ": say which encoding it is in"
    )


def _better_encoding(sample: bytes, said: str) -> str | None:
    if sample.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for candidate in ("utf-8", "cp1252" if _is_western(sample) else "gb18030"):
        try:
            sample.decode(candidate)
        except UnicodeError:
            continue
        return candidate if candidate != said else None
    return None


def _is_western(sample: bytes) -> bool:
    """Whether it reads as words of a western language with accents, rather than as Chinese.

    Of Chinese text the high octets come in pairs; in a western one most stand alone. Where two are
    neighbours (Grüße), they and the plain letters around them make a word by small and capital
    letters; Chinese read so does not (李 is Àî, and no word).
    """
    runs = _HIGH_OCTETS.findall(sample)
    if all(len(run) == 1 for run in runs):
        return True
    words = [word for word in _WORDS.findall(sample) if _HIGH_OCTETS.search(word)]
    return all(map(_is_western_word, words))


def _is_western_word(word: bytes) -> bool:
    text = word.decode("cp1252", "replace").translate(_TYPOGRAPHY)
    if not text:
        return True
    is_spelt = text.islower() or text.isupper() or (text[:1].isupper() and text[1:].islower())
    is_pair = len(text) > 1 and not _PLAIN_LETTER.search(word)
    return text.isalpha() and is_spelt and not is_pair


def _undecodable(path: Path, line: int, error: UnicodeError, encoding: str, advice: str) -> Fault:
    sample, start = b"", 0
    if isinstance(error, UnicodeDecodeError):
        sample, start = error.object, error.start
    at = sample.rfind(b"\n", 0, start) + 1
    end = sample.find(b"\n", start)
    whole_line = sample[at : end if end >= 0 else None]
    return Fault(
        path=displayed(path),
        line=line + sample.count(b"\n", 0, start),
        message=wrong_bytes(whole_line, encoding, advice),
    )


def _fault(path: Path, message: str) -> Fault:
    return Fault(path=displayed(path), message=message)
