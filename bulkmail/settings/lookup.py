"""Looking up what a file refers to: the environment, a password's source, trust anchors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from bulkmail.address import control_character
from bulkmail.campaign.document import Loc
from bulkmail.campaign.project import PathRefused, resolve_path
from bulkmail.campaign.values import ENVIRONMENT_REFERENCE, PasswordReference
from bulkmail.errors import Fault
from bulkmail.secret import Secret
from bulkmail.settings.values import PasswordSource


class Places(Protocol):
    """A file that can say where a key of it is written: a campaign, or bulkmail.yaml alone."""

    def fault(self, loc: Loc, message: str) -> Fault:
        """A fault at a key."""
        ...


class Lookup:
    """Looks up the keys of one mapping, and notes what is wrong on the way."""

    def __init__(
        self, places: Places, environ: Mapping[str, str], loc: Loc, folders: tuple[Path, ...]
    ) -> None:
        """`folders` are those in which its relative paths are looked up."""
        self.faults: list[Fault] = []
        self._places = places
        self._environ = environ
        self._loc = loc
        self._folders = folders

    def text(self, key: str, written: str | None) -> str | None:
        """The text with its references looked up. None where nothing is written, or it fails."""
        if written is None:
            return None
        text = self.looked_up(key, written)
        if text is not None and (unsafe := control_character(text)):
            self.fault(key, f"{written} holds {unsafe}")
            return None
        return text

    def looked_up(self, key: str, written: str) -> str | None:
        """`written` with the values of the environment; None where one is not set."""
        missing = False
        for name in dict.fromkeys(ENVIRONMENT_REFERENCE.findall(written)):
            if not self._environ.get(name):
                state = "empty" if name in self._environ else "not set"
                self.fault(key, f"the environment variable {name} is {state}")
                missing = True
        if missing:
            return None
        return ENVIRONMENT_REFERENCE.sub(lambda match: self._environ[match[1]], written)

    def password(self, written: PasswordReference | None) -> PasswordSource | None:
        """Where a password comes from; what is in the environment is looked up."""
        if written is None:
            return None
        if written.text is not None:
            text = self.looked_up("password", written.text.reveal())
            return None if text is None else PasswordSource(secret=Secret(text))
        if written.file is not None:
            path = Path(written.file).expanduser()
            candidates = [folder / path for folder in self._folders]
            found = next(filter(Path.exists, candidates), None)
            if found is None:
                self.fault("password", f"the file {written.file} does not exist")
                return None
            return PasswordSource(file=found)
        return PasswordSource(command=written.command, folder=self._folders[-1])

    def ca_file(self, written: str | None) -> Path | None:
        """Anywhere on the machine: it is read, never sent."""
        text = self.text("ca_file", written)
        if text is None:
            return None
        try:
            path = resolve_path(str(Path(text).expanduser()), self._folders, [Path("/")])
        except PathRefused as refusal:
            self.fault("ca_file", str(refusal))
            return None
        if reason := _unusable(path):
            self.fault("ca_file", f"{text} is no file of PEM certificates: {reason}")
        return path

    def as_written(self, ca_file: str | None) -> list[Fault]:
        """What is wrong with trust anchors, as far as it is seen without the environment."""
        if ca_file is not None and ENVIRONMENT_REFERENCE.search(ca_file) is None:
            self.ca_file(ca_file)
        return self.faults

    def fault(self, key: str, message: str) -> None:
        """Note a fault at one of the keys."""
        self.faults.append(self._places.fault((*self._loc, key), message))


def _unusable(path: Path) -> str:
    """Why no certificates to trust can be read from a file; "" where they can."""
    import ssl  # noqa: PLC0415  # few servers have a ca_file

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "none can be read from it"
    except OSError as error:
        return error.strerror or str(error)
    return ""
