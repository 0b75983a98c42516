"""A YAML file as plain values, and where each of them stands.

Read from libyaml's events, so that lines, duplicate keys and tags are seen and a list can be
streamed (`streaming`).

Bounds: `MAX_DEPTH` levels; aliases may add `MAX_ALIASED` values, so that no bomb goes off.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bulkmail.campaign.document import Document, Loc, Place, dotted
from bulkmail.campaign.plain_scalar import plain_scalar
from bulkmail.campaign.text_file import displayed, text_chunks
from bulkmail.campaign.yaml_slips import slip_before
from bulkmail.campaign.yaml_words import plainly
from bulkmail.errors import ConfigurationError, Fault

NodeStart = ScalarEvent | SequenceStartEvent | MappingStartEvent

MAX_DEPTH = 100
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
MAX_ALIASED = 100_000
#: Items of a long list that are kept with their places.
KEPT = 1000

_COLLECTION_STARTS = (SequenceStartEvent, MappingStartEvent)
_STARTS = (ScalarEvent, *_COLLECTION_STARTS)
_COLLECTION_ENDS = (SequenceEndEvent, MappingEndEvent)

_YAML_TAG = "tag:yaml.org,2002:"
_TEXT_TAG = f"{_YAML_TAG}str"
_HARMLESS_TAGS = {None, "!", _TEXT_TAG} | {
    _YAML_TAG + name for name in ("null", "bool", "int", "float", "seq", "map")
}
# YAML 1.2, 5.1, less what no text file holds: libyaml would refuse them without a line.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")


def read_document(path: Path, long_lists: Collection[Loc] = ()) -> Document:
    """The file's one document, faults included. Raises `ConfigurationError` when it is no YAML.

    Of `long_lists` the first `KEPT` items are kept, and what follows is for `streaming`: see
    `Document.cut`.
    """
    composer = EventComposer(path, advice="save it as UTF-8", long_lists=long_lists)
    document = composer.document
    for event in composer.events:
        if isinstance(event, DocumentStartEvent):
            if document.has(()):
                composer.fail(event, "a second document: one file holds one")
            document.value = composer.compose(composer.next(), ())
    return document


class _Feed:
    """What libyaml reads from: text whose unprintable characters are found with their line."""

    def __init__(self, path: Path, encoding: str, advice: str) -> None:
        self._path = path
        self._chunks = text_chunks(path, encoding, advice)
        self._line = 1

    def read(self, _size: int = -1, /) -> str:
        chunk = next(self._chunks, "")
        if match := _UNPRINTABLE.search(chunk):
            raise ConfigurationError(
                Fault(
                    path=displayed(self._path),
                    line=self._line + chunk.count("\n", 0, match.start()),
                    message=f"a control character, U+{ord(match[0]):04X}",
                )
            )
        self._line += chunk.count("\n")
        return chunk


class EventComposer:
    """Values out of events."""

    def __init__(
        self,
        path: Path,
        encoding: str = "utf-8-sig",
        *,
        advice: str = "",
        keeps_places: bool = True,
        long_lists: Collection[Loc] = (),
    ) -> None:
        self.document = Document(path)
        self._encoding = encoding
        self.events = self._parse(_Feed(path, encoding, advice))
        self._keeps_places = keeps_places
        self._long_lists = long_lists
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._composed = 0
        self._aliased = 0
        self._depth = 0

    def next(self) -> Event:
        """The next event; a document that ends early is a syntax error before it comes to that."""
        return next(self.events)

    def fail(self, event: Event, message: str) -> NoReturn:
        """Stop: what follows cannot be read, or must not."""
        place = place_of(event)
        raise ConfigurationError(*self.document.faults, self._fault((), place, message))

    def begin_item(self) -> None:
        """An item of a streamed list: its own faults, and aliases bounded anew."""
        self.document.faults.clear()
        self._aliased = 0

    def compose(self, event: Event, loc: Loc) -> Any:
        """The value that begins with `event`; its events are consumed."""
        if self._keeps_places:
            self.document.places[loc] = place_of(event)
        before = self._composed
        self._composed += 1
        if isinstance(event, AliasEvent):
            return self._alias(event)
        node = _node(event)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.fail(event, _TOO_DEEP)
        value = self._untagged(node, loc)
        self._depth -= 1
        if node.anchor is not None:
            self._anchors[node.anchor] = (value, self._composed - before)
        return value

    def _parse(self, feed: _Feed) -> Iterator[Event]:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            yield from yaml.parse(feed, Loader=loader)
        except yaml.MarkedYAMLError as error:
            raise ConfigurationError(*self.document.faults, self._syntax_fault(error)) from error
        except yaml.YAMLError as error:
            fault = self._fault((), None, f"not YAML: {error}")
            raise ConfigurationError(*self.document.faults, fault) from error

    def _untagged(self, event: NodeStart, loc: Loc) -> Any:
        tag = event.tag
        if tag not in _HARMLESS_TAGS:
            # A tag of one's own may be a password that begins with "!": only YAML's are named.
            _, is_yaml, word = (tag or "").rpartition(_YAML_TAG)
            name = f" `!!{word}`" if is_yaml else ""
            message = f"a tag{name}, which could make an object, is not read here; quote text"
            self.document.faults.append(self._fault(loc, place_of(event), message))
        if isinstance(event, MappingStartEvent):
            return self._mapping(loc)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(loc)
        is_plain = not event.style and tag not in {"!", _TEXT_TAG}
        return plain_scalar(event.value) if is_plain else event.value

    def _alias(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            # Its name is not shown: it may be a password that begins with "*".
            self.fail(event, "an alias (*) of nothing that is complete before it; quote text")
        value, size = self._anchors[event.anchor]
        self._composed += size
        self._aliased += size
        if self._aliased > MAX_ALIASED:
            self.fail(event, f"aliases that stand for more than {MAX_ALIASED:,} values")
        return value

    def _sequence(self, loc: Loc) -> list[Any]:
        values: list[Any] = []
        bound = KEPT if loc in self._long_lists else sys.maxsize
        while not isinstance(event := self.next(), SequenceEndEvent):
            if len(values) == bound:
                self.document.cut = loc
                self._pass_by(event)
                continue
            values.append(self.compose(event, (*loc, len(values))))
        return values

    def _pass_by(self, event: Event) -> None:
        """Consume a value that somebody else will read; what it names by anchors is known."""
        level = 0
        while True:
            if isinstance(event, _STARTS) and event.anchor is not None:
                self._note_anchor(event)
            elif isinstance(event, _COLLECTION_STARTS):
                level += 1
            elif isinstance(event, _COLLECTION_ENDS):
                level -= 1
            if not level:
                return
            event = self.next()

    def _note_anchor(self, event: Event) -> None:
        known, aliased = len(self.document.faults), self._aliased
        self._keeps_places = False
        self.compose(event, ())
        self._keeps_places = True
        # Both are noticed where the item itself is read.
        del self.document.faults[known:]
        self._aliased = aliased

    def _mapping(self, loc: Loc) -> dict[str, Any]:
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := self.next(), MappingEndEvent):
            key = self.key(event, loc)
            if key == "<<" and isinstance(event, ScalarEvent) and not event.style:
                self._merge(merged, self.compose(self.next(), (*loc, key)), event, loc)
                continue
            self._note_key(key, event, (*loc, key), is_duplicate=key in values)
            values[key] = self.compose(self.next(), (*loc, key))
        return merged | values

    def key(self, event: Event, loc: Loc) -> str:
        """The key of a mapping at `loc` that `event` is."""
        if isinstance(event, ScalarEvent):
            return str(event.value)
        value = self._alias(event) if isinstance(event, AliasEvent) else None
        if isinstance(value, str):
            return value
        inside = f"{dotted(loc)}: " if loc else ""
        message = f"{inside}a key that is no word; put a value that begins with {{{{ in quotes"
        return self.fail(event, message)

    def _note_key(self, key: str, event: Event, loc: Loc, *, is_duplicate: bool) -> None:
        place = place_of(event)
        if is_duplicate:
            first = self.document.key_places.get(loc)
            where = f" (first in line {first.line})" if first else ""
            message = f"`{key}` is written twice{where}"
            self.document.faults.append(self._fault(loc, place, message))
        elif self._keeps_places:
            self.document.key_places[loc] = place

    def _merge(self, into: dict[str, Any], value: Any, event: Event, loc: Loc) -> None:
        """The merge key ``<<``: what stands in the mapping itself goes before it."""
        for mapping in reversed(value) if isinstance(value, list) else [value]:
            if not isinstance(mapping, dict):
                self.document.faults.append(
                    self._fault((*loc, "<<"), place_of(event), "only mappings can be merged")
                )
                return
            into.update(mapping)

    def _fault(self, loc: Loc, place: Place | None, message: str) -> Fault:
        return Fault(
            path=displayed(self.document.path),
            line=place.line if place else None,
            column=place.column if place else None,
            key=dotted(loc) or None,
            message=message,
        )

    def _syntax_fault(self, error: yaml.MarkedYAMLError) -> Fault:
        context, problem = error.context or "", error.problem or ""
        sentence, is_where_it_began = plainly(context, problem)
        mark = (None if is_where_it_began else error.problem_mark) or error.context_mark
        place = None if mark is None else Place(mark.line + 1, mark.column + 1)
        if "nesting depth" in problem:
            # libyaml reads ahead, and newer ones have a bound of their own, beyond ours.
            return self._fault((), place, _TOO_DEEP)
        path = self.document.path
        if place and (slip := slip_before(path, self._encoding, place, problem)):
            place, sentence = Place(*slip[:2]), slip[2]
        return self._fault((), place, f"not YAML: {sentence}")


def _node(event: Event) -> NodeStart:
    if isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent):
        return event
    raise AssertionError(f"libyaml gave {type(event).__name__} where a value begins")


def place_of(event: Event) -> Place:
    """Where an event begins."""
    if event.start_mark is None:
        raise AssertionError("libyaml marks every event")
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)
