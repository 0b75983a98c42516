"""A secret in a file: written as a reference to where it is, looked up only when it is used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from bulkmail.campaign.text_file import is_special
from bulkmail.campaign.values import ENVIRONMENT_REFERENCE
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: More than any key has; a bound for a file that is not what was meant.
_MAX_SIZE = 65536


@value_class
class SecretReference:
    """Where a secret is to come from, nothing of it looked up yet; exactly one is given."""

    #: As written: a literal, or with references to the environment in it.
    text: Secret | None = None
    #: Relative to the file it is written in, or anywhere.
    file: str | None = None

    def look_up(self, folders: Iterable[Path], environ: Mapping[str, str]) -> Secret:
        """The secret, without space around it; a file is looked up in `folders`.

        Raises `ValueError` with the reason; nothing of the secret is in it.
        """
        if self.text is None:
            return Secret(_content(self.file or "", folders).strip())
        written = self.text.reveal()
        for name in ENVIRONMENT_REFERENCE.findall(written):
            if not environ.get(name, "").strip():
                state = "empty" if name in environ else "not set"
                raise ValueError(f"the environment variable {name} is {state}")
        text = ENVIRONMENT_REFERENCE.sub(lambda match: environ[match[1]], written)
        return Secret(text.strip())


def _content(name: str, folders: Iterable[Path]) -> str:
    path = Path(name).expanduser()
    candidates = [folder / path for folder in folders]
    found = next(filter(Path.exists, candidates), candidates[0])
    if is_special(found):
        raise ValueError(f"{name} is a pipe or a device, where a file belongs")
    try:
        with found.open("rb") as file:
            text = file.read(_MAX_SIZE + 1).decode("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not text") from error
    if not text.strip():
        raise ValueError(f"{name} is empty")
    if len(text) > _MAX_SIZE:
        raise ValueError(f"{name} is longer than any key or secret")
    return text


def secret_reference(value: Any) -> SecretReference:
    """What was written, understood. Raises `ValueError` when it cannot be."""
    match value:
        case SecretReference():
            return value
        case "" | {"file": ""}:
            raise ValueError("is empty")
        case str():
            if "${" in ENVIRONMENT_REFERENCE.sub("", value):
                raise ValueError("`${` that begins no name of an environment variable: ${NAME}")
            return SecretReference(text=Secret(value))
        case {"file": str(path), **rest} if not rest:
            return SecretReference(file=path)
    raise ValueError("must be text (a number in quotes), as in ${NAME}, or {file: PATH}")


_FILE = {
    "type": "object",
    "properties": {"file": {"type": "string"}},
    "required": ["file"],
    "additionalProperties": False,
}

SecretText = Annotated[
    SecretReference,
    PlainValidator(secret_reference),
    WithJsonSchema({"$comment": "`${NAME}`, or `{file: …}`", "anyOf": [{"type": "string"}, _FILE]}),
]
