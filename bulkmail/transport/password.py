"""The password of a server, from where its settings say it comes.

Read when the first session logs in, and kept for the next ones. A login that is refused may be one
with a token that has run out, so a file is read and a command is run again before it counts.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections.abc import AsyncIterator
from pathlib import Path

from bulkmail.campaign.text_file import is_special
from bulkmail.child_environment import child_environment
from bulkmail.errors import AuthenticationFailed
from bulkmail.secret import Secret
from bulkmail.settings import PasswordSource, ServerSettings
from bulkmail.smtp.stage import Stage

#: More than any token has; a bound for a file or command that is not what was meant.
MAX_OUTPUT_BYTES = 65536
#: Seconds a login takes up to which the next one waits for it.
QUICK_LOGIN = 0.1
#: Seconds for which one that hangs is waited for: servers are slow to refuse (Dovecot: two).
PATIENCE = 5.0


class Password:
    """A server's password, shared by its sessions."""

    def __init__(self, settings: ServerSettings) -> None:
        self._host = f"{settings.host}:{settings.port}"
        self._timeout = settings.timeout
        self._source = settings.password or PasswordSource()
        self._known: Secret | None = None
        #: The one that a login was refused with for good, and how.
        self._refused: tuple[Secret, AuthenticationFailed] | None = None
        #: Sessions that are opened at once run the command once.
        self._lock = asyncio.Lock()
        self._turn = asyncio.Lock()
        #: How long the last login took that was accepted.
        self._login_seconds = 0.0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For one login after the other: where one is refused, the next is not even tried.

        But where they take their time, at once: they would add up.
        """
        is_taken = False
        if self._login_seconds <= QUICK_LOGIN:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    is_taken = await self._turn.acquire()
        try:
            yield
        finally:
            if is_taken:
                self._turn.release()

    def accepted(self, seconds: float) -> None:
        """A login with it was accepted, and took so long."""
        self._login_seconds = seconds

    async def current(self) -> Secret:
        """The password. Raises `AuthenticationFailed` where it cannot be had, or was refused."""
        async with self._lock:
            if self._known is None:
                self._known = await self._read()
            if self._refused is not None and self._refused[0].reveal() == self._known.reveal():
                raise copy.copy(self._refused[1])
            return self._known

    async def refuse(
        self, tried: Secret, refusal: AuthenticationFailed, *, is_last: bool = False
    ) -> bool:
        """A login failed with it; whether there is another password by now, unless `is_last`.

        Where there is not, and that was for good, who is about to log in does not. Raises as
        `renew` does.
        """
        if refusal.code is None or refusal.is_transient:
            return False
        if not is_last and await self.renew(tried):
            return True
        # Only now: meanwhile there may have been another one.
        self._refused = (tried, refusal)
        return False

    async def renew(self, refused: Secret) -> bool:
        """Whether there is another password now than the one that was `refused`.

        Raises `AuthenticationFailed` where it cannot be had.
        """
        async with self._lock:
            if self._known is refused and self._source.secret is None:
                self._known = await self._read()
            return self._known is not None and self._known.reveal() != refused.reveal()

    async def _read(self) -> Secret:
        if self._source.secret is not None:
            return self._source.secret
        if self._source.file is not None:
            return self._first_line(await self._file(self._source.file), str(self._source.file))
        if self._source.command:
            name = f"the password command `{self._source.command[0]}`"
            return self._first_line(await self._output(self._source.command, name), name)
        raise self._failed("a user name is set, but no password (settings: server.password)")

    async def _file(self, path: Path) -> bytes:
        import aiofiles  # noqa: PLC0415  # for a password in a file

        if is_special(path):
            raise self._failed(f"the password file {path} is a pipe or a device")
        try:
            async with aiofiles.open(path, "rb") as file:
                return bytes(await file.read(MAX_OUTPUT_BYTES))
        except OSError as error:
            raise self._failed(
                f"the password file {path} cannot be read: {error.strerror}"
            ) from error

    async def _output(self, command: tuple[str, ...], name: str) -> bytes:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self._source.folder,
                env=child_environment(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                # What it complains of may hold what it handles.
                stderr=asyncio.subprocess.DEVNULL,
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise self._failed(f"{name} cannot be run: {reason}") from error
        try:
            async with asyncio.timeout(self._timeout):
                output, _ = await process.communicate()
        except TimeoutError as error:
            raise self._failed(f"{name} took longer than {self._timeout:g} s") from error
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if process.returncode != 0:
            raise self._failed(f"{name} ended with status {process.returncode}; run it by hand")
        return output

    def _first_line(self, octets: bytes, name: str) -> Secret:
        try:
            line = octets.decode("utf-8-sig").split("\n", 1)[0].removesuffix("\r")
        except UnicodeDecodeError:
            line = ""
        if not line:
            raise self._failed(f"{name} gave no password on its first line")
        return Secret(line)

    def _failed(self, sentence: str) -> AuthenticationFailed:
        return AuthenticationFailed(
            f"no login at {self._host}: {sentence}", host=self._host, stage=Stage.AUTH
        )
