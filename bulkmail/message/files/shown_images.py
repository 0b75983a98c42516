"""Images that the HTML shows by plain relative paths: each becomes a part, its source a cid.

`<img src="images/x.png">` is looked up from the campaign's folder, then the project's root, then
beside the template. What has a scheme (https:, cid:, data:), or begins with a slash, stays.
`<img src="qr:TEXT">`, which the filter `qr` writes, is drawn.

What stands in a template as it is, is the same file for all who are shown it. What a row fills in
is the row's own file: it is noted when the row is checked, and has to be the same when it is sent.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from functools import cached_property, lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bulkmail.campaign.load import Campaign
from bulkmail.errors import ConfigurationError
from bulkmail.fate import FileNote
from bulkmail.message.files.choice import changed, known_as
from bulkmail.message.files.media_type import guessed_type
from bulkmail.message.files.part import file_part
from bulkmail.message.files.reader import FileBody, FileReader
from bulkmail.message.frame import Part
from bulkmail.message.row import Row
from bulkmail.message.templates.qr import QR_SCHEME, qr_image
from bulkmail.message.templates.rendering import Renderer
from bulkmail.message.templates.templates import Templates
from bulkmail.message.transfer_encoding import BodyText

#: What is passed over first shows nothing, but for the comments that Outlook reads. ``<!-->`` is a
#: whole comment: ``<!--[if !mso]><!-->`` stands before what all but Outlook show. One that is not
#: closed goes to the end, and is looked through once.
_IMAGE = re.compile(
    r"<!--(?!\[if\b|-?>).*?(?:--!?>|\Z)"
    r"|<(?P<raw>script|style|title|textarea)\b.*?(?:</(?P=raw)|\Z)"
    r"""|(?P<head><img\b[^>]*?\ssrc\s*=\s*)(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^\s"'>]+))""",
    re.IGNORECASE | re.DOTALL,
)
#: What is looked for first, in every letter.
_TAG = b"<img"
#: ``![alt](images/x.png)``, in a body in Markdown.
_MARKDOWN_IMAGE = re.compile(r"!\[[^\]]*\]\(\s*<?([^\s)>]+)")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


class ShownImages:
    """Finds them in a rendered page."""

    def __init__(self, campaign: Campaign, templates: Templates, reader: FileReader) -> None:
        self._campaign = campaign
        self._templates = templates
        self._reader = reader
        self._below_root = os.path.join(campaign.root, "")  # noqa: PTH118  # with its separator

    @property
    def shared_paths(self) -> list[Path]:
        """The images that stand in the templates as they are, as far as they are there."""
        paths: dict[Path, None] = {}
        for source, folders in self._written.items():
            for folder in folders:
                # What is not there, or may not be used, is told by the row that shows it.
                with contextlib.suppress(ConfigurationError):
                    paths[self._path(_name(source), folder)] = None
        return list(paths)

    @cached_property
    def _written(self) -> dict[str, set[Path]]:
        """The sources that stand in the templates as they are, with the templates' folders."""
        written: dict[str, set[Path]] = {}
        for template, text in self._templates.sources():
            sources = _sources(text)
            sources += [match[1] for match in _MARKDOWN_IMAGE.finditer(text)]
            for source in filter(_is_ours, sources):
                if not any(mark in source for mark in ("{", "}", QR_SCHEME)):
                    written.setdefault(source, set()).add(template.parent)
        return written

    async def extracted(self, html: str, renderer: Renderer, row: Row) -> tuple[str, list[Part]]:
        """The page with cids for its images, and their parts, each once however it is written.

        An image that is not there is a fault of the template `renderer`, noted in `row`.
        """
        cids: dict[str, str] = {}
        parts: dict[str, Part | None] = {}
        first: dict[str, str] = {}
        for source in filter(_is_ours, dict.fromkeys(_sources(html))):
            name = source if source.startswith(QR_SCHEME) else _name(source)
            cid = _cid(first.setdefault(name, source))
            if name not in parts:
                parts[name] = await self._part(source, cid, renderer, row)
            if parts[name] is not None:
                cids[source] = cid
        if not cids:
            return html, []

        def replaced(match: re.Match[str]) -> str:
            cid = cids.get(_source(match)) if match["head"] else None
            return f'{match["head"]}"cid:{cid}"' if cid else match[0]

        return _IMAGE.sub(replaced, html), [part for part in parts.values() if part is not None]

    async def _part(self, source: str, cid: str, renderer: Renderer, row: Row) -> Part | None:
        if source.startswith(QR_SCHEME):
            return _drawn(unquote(source.removeprefix(QR_SCHEME)), cid)
        # A line of what was rendered says nothing; the template's first one says which file.
        name = _name(source)
        try:
            path = self._path(name, Path(renderer.filename).parent)
            file = await self._reader.read(path, "image", at_once=row.is_alone)
        except ConfigurationError as error:
            problem = error.faults[0].message
        except OSError as error:
            problem = f"{name} cannot be read: {error.strerror or error}"
        except ValueError as error:
            problem = f"{name} {error}"
        else:
            note = self._note(source, path, file)
            change = changed(note, row.delivery.files) if note else None
            if change is None:
                kind = guessed_type(path.name)
                return file_part(path.name, kind, file, content_id=cid, note=note)
            problem = f"{path.name} {change}"
        row.add(renderer.fault(f'<img src="{source}">: {problem}'))
        return None

    def _note(self, source: str, path: Path, file: FileBody) -> FileNote | None:
        """Of an image that the row filled in; None: it is the same for all."""
        if source in self._written:
            return None
        known = known_as(path, self._below_root)
        return FileNote(entry=f"img {source}", path=known, sha256=file.sha256)

    def _path(self, name: str, folder: Path) -> Path:
        """The file of that name; `folder` is its template's."""
        try:
            return self._campaign.resolve(name)
        except ConfigurationError:
            beside = folder / name
            if ".." in Path(name).parts or not beside.is_file():
                raise
            return self._campaign.resolve(str(beside))


@lru_cache(maxsize=64)
def _drawn(text: str, cid: str) -> Part:
    return file_part("qr.png", "image/png", FileBody.of(qr_image(text)), content_id=cid)


def may_show_images(html: BodyText) -> bool:
    """Whether it is worth looking for images: most letters have none, and this is quick."""
    return not html.is_without_images and _TAG in (html.octets + html.end.lines).lower()


def _sources(html: str) -> list[str]:
    return [_source(match) for match in _IMAGE.finditer(html) if match["head"]]


def _cid(source: str) -> str:
    return f"image-{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _source(match: re.Match[str]) -> str:
    text = match["double"] or match["single"] or match["bare"] or ""
    import html  # noqa: PLC0415  # a table of all entities, for letters with images

    return html.unescape(text).strip()


def _name(source: str) -> str:
    return unquote(urlsplit(source).path)


def _is_ours(source: str) -> bool:
    if source.startswith(QR_SCHEME):
        return True
    return bool(source) and source[0] not in "/\\#?" and not _SCHEME.match(source)
