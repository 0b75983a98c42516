"""Recipients from a web server: one GET, spooled and bounded (extra `http`).

Certificates are verified, and plain http goes to this machine only. Redirects are followed by hand:
header fields that a person wrote, and a login in the address, go to no other host. A body whose end
cannot be told from a cut is no list: who is missing from it would count as gone.

What came with an ETag (or Last-Modified) is kept beside the ledger, readable by its owner alone,
and asked for with If-None-Match.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulkmail.campaign.recipients.origin import NoList, Unusable, first_line, optional
from bulkmail.secret import Secret
from bulkmail.value_class import value_class

#: Redirects in a row.
_MAX_REDIRECTS = 5
#: Seconds without a byte after which a server counts as stalled.
_IDLE = 30.0
_OK = 200
_NOT_MODIFIED = 304


@value_class
class Page:
    """What is asked for."""

    url: Secret
    headers: Mapping[str, Secret]
    max_bytes: int
    #: Where bodies are kept for the next time; None: nowhere.
    kept_in: Path | None


def shown_address(url: Secret) -> str:
    """The address without login, query and fragment."""
    address = encrypted_address(optional("httpx2", "`http`", "http"), url)
    return str(address.copy_with(username=None, password=None, query=None, fragment=None))


async def fetch_page(page: Page, target: Path) -> None:
    """Get it, and write the body to `target`.

    Raises `NoList` with what came instead, `Unusable` where nothing can come of it.
    """
    http = optional("httpx2", "`http`", "http")
    hidden = [page.url.reveal(), *(secret.reveal() for secret in page.headers.values())]
    address = encrypted_address(http, page.url)
    kept = None if page.kept_in is None else _Kept(page.kept_in, page.url)
    try:
        async with http.AsyncClient(
            timeout=http.Timeout(_IDLE),
            verify=ssl.create_default_context(),
            headers={"Accept-Encoding": "identity", "User-Agent": "bulkmail"},
        ) as client:
            await _follow(client, address, page, kept, target)
    except http.TimeoutException as error:
        raise NoList(f"silent for {_IDLE:.0f} s") from error
    except http.RemoteProtocolError as error:
        words = first_line(str(error), hidden)
        raise NoList(f"the answer was cut off, or is none: {words}") from error
    except (http.HTTPError, http.InvalidURL, OSError) as error:
        raise NoList(first_line(str(error), hidden) or type(error).__name__) from error


async def _follow(client: Any, address: Any, page: Page, kept: _Kept | None, target: Path) -> None:
    own = {name: secret.reveal() for name, secret in page.headers.items()}
    is_private = bool(own or address.userinfo)
    for _ in range(_MAX_REDIRECTS + 1):
        asked = own | (kept.condition() if kept else {})
        async with client.stream("GET", address, headers=asked) as response:
            if not response.has_redirect_location:
                await _take(response, page, kept, target)
                return
            further = address.join(response.headers["location"])
        if _origin(further) != _origin(address):
            if is_private:
                raise NoList(
                    f"it redirects to {further.host}, another host, which `headers` and the "
                    "login are not for"
                )
            _refuse_plain(further)
        address = (
            further.copy_with(username=address.username, password=address.password)
            if (is_private)
            else further
        )
    raise NoList(f"it redirects more than {_MAX_REDIRECTS} times")


async def _take(response: Any, page: Page, kept: _Kept | None, target: Path) -> None:
    if response.status_code == _NOT_MODIFIED and kept is not None and kept.condition():
        kept.copy_to(target)
        return
    if response.status_code != _OK:
        raise NoList(f"it answered {response.status_code} {response.reason_phrase[:100]}".rstrip())
    said = response.headers.get("content-length", "")
    is_chunked = response.headers.get("transfer-encoding", "").lower() == "chunked"
    if not said and not is_chunked:
        raise NoList("it answered without a length (Content-Length, or chunked): a cut would pass")
    too_much = f"it has more than {page.max_bytes // 1_000_000} MB (`max_mb`)"
    if said.isdecimal() and int(said) > page.max_bytes:
        raise NoList(too_much)
    size = 0
    with target.open("xb") as file:
        async for chunk in response.aiter_bytes():
            size += len(chunk)
            if size > page.max_bytes:
                raise NoList(too_much)
            file.write(chunk)
    if kept is not None:
        kept.keep(target, response.headers)


class _Kept:
    """The body that came last, and what it was called. Broken, it is as if it were not there."""

    def __init__(self, folder: Path, url: Secret) -> None:
        name = hashlib.sha256(url.reveal().encode()).hexdigest()[:32]
        self._body = folder / f"{name}.body"
        self._facts = folder / f"{name}.json"
        self._condition: dict[str, str] | None = None

    def condition(self) -> dict[str, str]:
        """The header fields that ask for a change only; none where there is nothing whole."""
        if self._condition is None:
            self._condition = self._read()
        return self._condition

    def _read(self) -> dict[str, str]:
        try:
            facts = json.loads(self._facts.read_text("utf-8"))
            with self._body.open("rb") as body:
                is_whole = hashlib.file_digest(body, "sha256").hexdigest() == facts["sha256"]
            fields = {str(name): str(value) for name, value in facts["condition"].items()}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return {}
        return fields if is_whole else {}

    def copy_to(self, target: Path) -> None:
        shutil.copyfile(self._body, target)

    def keep(self, body: Path, headers: Mapping[str, str]) -> None:
        """Keep it where it can be asked about; a full disk keeps nothing, and stops nobody."""
        condition = {
            name: headers[said]
            for name, said in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified"))
            if said in headers
        }
        with contextlib.suppress(OSError):
            self._facts.unlink(missing_ok=True)
            if not condition:
                self._body.unlink(missing_ok=True)
                return
            with body.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            _write(self._body, lambda path: shutil.copyfile(body, path))
            facts = json.dumps({"condition": condition, "sha256": digest})
            _write(self._facts, lambda path: path.write_text(facts, "utf-8"))


def _write(path: Path, fill: Any) -> None:
    """Put it there as a whole, readable by its owner alone."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
    fill(new)
    new.replace(path)


def encrypted_address(http: Any, url: Secret, key: str = "http") -> Any:
    """The address, which is one of https, or of this machine. Raises `Unusable`, without it."""
    try:
        address = http.URL(url.reveal())
    except (http.InvalidURL, TypeError, ValueError):
        # Its own sentence may repeat what is secret.
        raise Unusable(f"`{key}` is no address such as https://example.com/list.csv") from None
    if address.scheme not in {"https", "http"} or not address.host:
        raise Unusable(f"`{key}` is no address such as https://example.com/list.csv")
    if address.scheme == "http" and not _is_this_machine(address.host):
        raise Unusable(f"`{key}` is not encrypted: only https://, but for this machine itself")
    return address


def _refuse_plain(address: Any) -> None:
    if address.scheme != "https" and not _is_this_machine(address.host):
        raise NoList(f"it redirects to {address.host} without encryption")


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _origin(address: Any) -> tuple[str, str, int | None]:
    ports = {"https": 443, "http": 80}
    return address.scheme, address.host, address.port or ports.get(address.scheme)
