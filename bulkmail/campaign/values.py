"""The kinds of value a campaign's keys take, each with its sentence when it is another.

They are annotations for the models in models/; the JSON Schema of each says what the loader takes.
No sentence of a kind that may hold a secret repeats what was written.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainValidator,
    Strict,
    WithJsonSchema,
)

from bulkmail.address import control_character, excerpt, parse_address, parse_mailbox, printable
from bulkmail.campaign.media_type import is_media_type
from bulkmail.campaign.nearest import nearest
from bulkmail.campaign.units import Rate, parse_duration, parse_rate
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: A reference to the environment: ``${SMTP_PASSWORD}``.
ENVIRONMENT_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
#: Files that may be open end before it, and memory not long after it.
_MOST_CONNECTIONS = 10_000
_MAX_PORT = 65535
_DAY = 86400.0
_FLAG_WORDS = {"yes": True, "on": True, "no": False, "off": False}
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")


def is_template(text: str) -> bool:
    """Whether Jinja2 has something to do with it, so that only a row tells what it becomes."""
    return "{{" in text or "{%" in text or "{#" in text


def _one_line(text: str) -> str:
    text = text.rstrip("\r\n")
    if unsafe := control_character(text):
        raise ValueError(f"{unsafe}, where one line of text belongs")
    return text


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _references(text: str) -> str:
    if "${" in ENVIRONMENT_REFERENCE.sub("", text):
        raise ValueError("`${` that begins no name of an environment variable, as in ${NAME}")
    return text


def _mailbox(text: str) -> str:
    return _refused_by(parse_mailbox, text)


def _address_or_null(text: str) -> str:
    return _refused_by(parse_address, text) if text not in {"", "<>"} else ""


def _refused_by(parse: Callable[[str], object], text: str) -> str:
    """`text`, unless `parse` refuses it; templates are judged when they are rendered."""
    if not is_template(text):
        try:
            parse(text)
        except ValueError as error:
            raise ValueError(f"`{excerpt(text)}` is not an address: {error}") from error
    return text


def _delays(value: Any) -> Any:
    """One delay alone doubles, and a list is gone through: a list of one is told apart by this."""
    listed = _listed(value)
    return listed * 2 if isinstance(value, list) and len(value) == 1 else listed


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) else value


def _duration(value: Any) -> float:
    if not isinstance(value, str | int | float):
        raise ValueError("must be a duration such as 500ms, 30s, 5m, 1h or 2d")  # noqa: TRY004
    return parse_duration(value)


def _rate(value: Any) -> Any:
    if isinstance(value, Rate):
        return value
    if not isinstance(value, str | int | float):
        raise ValueError("must be a rate such as 10/s, 300/min, 500/h or 2000/day")  # noqa: TRY004
    return parse_rate(str(value))


def _daily(rate: Rate) -> Rate:
    if rate.window != _DAY:
        raise ValueError("must be a number a day, such as 50/day")
    return rate


def _flag(value: Any) -> Any:
    """YAML 1.1's words for it, which plain scalars leave as text."""
    word = value.lower() if isinstance(value, str) else value
    return _FLAG_WORDS.get(word, value) if isinstance(word, str) else value


def _port(value: Any) -> int | str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if "${" in text:
        return _references(text)
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_PORT))):
        raise ValueError("must be a port, a whole number from 1 to 65535")
    if not 1 <= int(text) <= _MAX_PORT:
        raise ValueError(f"{text} is no port: they go from 1 to {_MAX_PORT}")
    return int(text)


@value_class
class PasswordReference:
    """Where a password is to come from, nothing of it looked up yet; exactly one is given."""

    #: As written: a literal, or with references to the environment in it.
    text: Secret | None = None
    #: Relative to the file it is written in, or anywhere.
    file: str | None = None
    command: tuple[str, ...] = ()


_PASSWORD_KEYS = ("file", "command")


def _password(value: Any) -> PasswordReference:
    match value:
        case PasswordReference():
            return value
        case "" | {"file": ""}:
            raise ValueError("is empty")
        case str():
            return PasswordReference(text=Secret(_references(value)))
        case {"file": str(path), **rest} if not rest:
            return PasswordReference(file=path)
        case {"command": [str(), *_] as words, **rest} if not rest:
            if all(isinstance(word, str) for word in words):
                return PasswordReference(command=tuple(words))
    # What is no key of ours is not shown: `{s3cret}` is a password in braces.
    keys = map(str, value) if isinstance(value, dict) else ()
    near = {known for key in keys if (known := nearest(key, _PASSWORD_KEYS)) and known != key}
    hint = f". Did you mean `{min(near)}`?" if near else ""
    raise ValueError(
        "must be text (a number in quotes), {file: PATH} or {command: [PROGRAM, ARGUMENT]}" + hint
    )


def _moment(value: Any) -> datetime:
    try:
        return value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise ValueError("must be a moment in ISO 8601, such as 2026-12-01T09:00") from error


@functools.cache
def known_zone(text: str) -> str:
    """The name of an IANA time zone. Raises `ValueError` with a sentence where it is none."""
    try:
        zoneinfo.ZoneInfo(text)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(
            f"`{printable(text)}` is no IANA time zone such as Asia/Shanghai"
        ) from error
    return text


def _mime_type(text: str) -> str:
    if not (is_template(text) or is_media_type(text)):
        raise ValueError("must be a media type such as application/pdf")
    if text.lower().startswith("multipart/"):
        # RFC 2046, 5.1: its parts would have to be seen, and a file goes out encoded.
        raise ValueError("is a type of messages with parts, not of a file")
    return text


def _content_id(text: str) -> str:
    if not _CONTENT_ID.fullmatch(text):
        raise ValueError("is no name for an image: letters, digits, dots and hyphens, no space")
    return text


def _kind(words: str, **schema: Any) -> WithJsonSchema:
    """A JSON Schema, and what a person calls such a value."""
    return WithJsonSchema({"$comment": words} | schema)


def _one_or_more(words: str, schema: dict[str, Any], *, least: int = 1) -> WithJsonSchema:
    listed = {"type": "array", "items": schema, "minItems": least}
    return _kind(f"{words}, or a list", anyOf=[schema, listed])


_TEXT = {"type": "string"}
_DURATION = [
    {"type": "number", "minimum": 0},
    {"type": "string", "pattern": r"^\s*[0-9]+(\.[0-9]+)?\s*(ms|s|m|h|d)?\s*$"},
]
_RATE = {"type": "string", "pattern": r"^\s*[0-9]+\s*/\s*(s|min|h|day)\s*$"}
_PORT = [
    {"type": "integer", "minimum": 1, "maximum": _MAX_PORT},
    {"type": "string", "pattern": r"^([0-9]+|.*\$\{[A-Za-z_][A-Za-z0-9_]*\}.*)$"},
]
_COMMAND = {"type": "array", "items": _TEXT, "minItems": 1}
_PASSWORD = [
    _TEXT,
    *(
        {
            "type": "object",
            "properties": {key: schema},
            "required": [key],
            "additionalProperties": False,
        }
        for key, schema in (("file", _TEXT), ("command", _COMMAND))
    ),
]

Text = Annotated[str, Strict()]
#: Text that becomes a header, an address or a file name: no line breaks, no control characters.
LineText = Annotated[Text, AfterValidator(_one_line)]
#: A line that says something.
FilledLine = Annotated[LineText, AfterValidator(_filled)]
#: Text in which ``${NAME}`` is looked up in the environment, when a server is used.
EnvironmentText = Annotated[
    FilledLine, AfterValidator(_references), _kind("text, `${NAME}`", **_TEXT)
]
#: A mailbox, or a template for one.
MailboxText = Annotated[LineText, AfterValidator(_mailbox), _kind("an address", **_TEXT)]
MailboxTexts = Annotated[
    tuple[MailboxText, ...], BeforeValidator(_listed), _one_or_more("an address", _TEXT, least=0)
]
ReversePathText = Annotated[
    LineText, AfterValidator(_address_or_null), _kind('an address, `""` or `"<>"`', **_TEXT)
]
FileTexts = Annotated[
    tuple[FilledLine, ...], BeforeValidator(_listed), _one_or_more("a path", _TEXT, least=0)
]
Flag = Annotated[
    bool,
    Strict(),
    BeforeValidator(_flag),
    _kind("`true` or `false`", enum=[True, False, *_FLAG_WORDS]),
]
Count = Annotated[int, Strict(), Field(ge=1)]
Connections = Annotated[int, Strict(), Field(ge=1, le=_MOST_CONNECTIONS)]
CountOrNone = Annotated[int, Strict(), Field(ge=0)]
Port = Annotated[int | str, PlainValidator(_port), _kind("a port, `${NAME}`", anyOf=_PORT)]
#: Seconds.
Duration = Annotated[float, BeforeValidator(_duration), _kind("a duration", anyOf=_DURATION)]
PositiveDuration = Annotated[Duration, Field(gt=0), _kind("a duration", anyOf=_DURATION)]
Durations = Annotated[
    tuple[Duration, ...],
    BeforeValidator(_delays),
    Field(min_length=1),
    _one_or_more("a duration", {"anyOf": _DURATION}),
]
Rates = Annotated[
    tuple[Annotated[Rate, BeforeValidator(_rate)], ...],
    BeforeValidator(_listed),
    Field(min_length=1),
    _one_or_more("a rate", _RATE),
]
DailyRate = Annotated[
    Rate, BeforeValidator(_rate), AfterValidator(_daily), _kind("a rate `N/day`", **_RATE)
]
Password = Annotated[
    PasswordReference,
    PlainValidator(_password),
    _kind("text, `${NAME}`, `{file: …}` or `{command: […]}`", anyOf=_PASSWORD),
]
Moment = Annotated[datetime, PlainValidator(_moment), _kind("ISO 8601", **_TEXT)]
TimeZone = Annotated[Text, AfterValidator(known_zone), _kind("an IANA time zone", **_TEXT)]
MimeType = Annotated[FilledLine, AfterValidator(_mime_type), _kind("a media type", **_TEXT)]
ContentId = Annotated[Text, AfterValidator(_content_id)]
