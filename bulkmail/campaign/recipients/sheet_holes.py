"""Cells of an .xlsx sheet that show no value: errors, and formulas nobody has worked out.

What reads the sheet gives both as empty, so a letter would have a hole where a person sees `#N/A`.
They are looked for in the sheet's own XML, which is parsed only where it has one of the two.
(Entities that grow without an end are refused by expat itself, outer ones it never follows.)
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import BadZipFile, ZipFile

#: What `holes` raises for a file that is no workbook.
NO_WORKBOOK = (BadZipFile, KeyError, StopIteration, ET.ParseError, ValueError)

#: Elements of whichever edition: the strict one has a namespace of its own.
_MAIN = "{*}"
#: Where a workbook has its parts.
_FOLDER = "xl"
_WORTH_A_LOOK = re.compile(rb"""\bt\s*=\s*["']e["']|<(?:\w+:)?f[\s/>]""")


def holes(path: Path, sheet: str) -> dict[int, dict[int, str]]:
    """By row (from 1) and column (from 0): what keeps the cell from having a value.

    Raises one of `NO_WORKBOOK` for what is none.
    """
    with ZipFile(path) as archive:
        content = archive.read(_part(archive, sheet))
    if not _WORTH_A_LOOK.search(content):
        return {}
    found: dict[int, dict[int, str]] = {}
    for row, column, cell in _cells(content):
        if sentence := _hole(cell):
            found.setdefault(row, {})[column] = sentence
    return found


def _part(archive: ZipFile, sheet: str) -> str:
    """The name of the sheet's part, by the workbook's relations.

    Readers take it in any case, and some programs write it with the slashes of Windows.
    """
    names = {name.lower().replace("\\", "/"): name for name in archive.namelist()}

    def tree(name: str) -> ET.Element:
        return ET.fromstring(archive.read(names[f"{_FOLDER}/{name}"]))  # noqa: S314  # see above

    sheets = tree("workbook.xml").iterfind(f"{_MAIN}sheets/{_MAIN}sheet")
    found = next(one for one in sheets if one.get("name") == sheet)
    relation = next(value for name, value in found.items() if name.endswith("}id"))
    relations = tree("_rels/workbook.xml.rels")
    target = next(one.get("Target", "") for one in relations if one.get("Id") == relation)
    return names[posixpath.normpath(posixpath.join(f"/{_FOLDER}", target)).lstrip("/").lower()]


def _cells(content: bytes) -> Iterator[tuple[int, int, ET.Element]]:
    """Cells with row and column. Either may be unsaid: it is the one behind the last, then."""
    row = 0
    for _, line in ET.iterparse(BytesIO(content)):  # noqa: S314  # see above
        if not line.tag.endswith("}row"):
            continue
        row = int(line.get("r", row + 1))
        column = -1
        for cell in line.iterfind(f"{_MAIN}c"):
            place = cell.get("r")
            column = _column(place) if place else column + 1
            yield row, column, cell
        line.clear()  # so that a long sheet is never there as a whole tree


def _column(place: str) -> int:
    """0 for `A7`, 27 for `AB7`."""
    number = 0
    for letter in place.rstrip("0123456789").upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _hole(cell: ET.Element) -> str:
    value = cell.findtext(f"{_MAIN}v", "")
    if cell.get("t") == "e":
        return f"{value or 'an error'}, where a value should be"
    is_unknown = not value and cell.get("t", "n") == "n" and cell.find(f"{_MAIN}f") is not None
    if is_unknown:
        return "a formula without its result: open the file in a spreadsheet program and save it"
    return ""
