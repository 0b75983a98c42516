"""A list in a YAML file, one item at a time: memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yaml import (
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from bulkmail.campaign.composer import EventComposer, place_of
from bulkmail.campaign.document import Loc
from bulkmail.errors import Fault
from bulkmail.value_class import value_class


@value_class
class StreamedItem:
    """One item of a list that is read as it goes."""

    line: int
    value: Any
    faults: tuple[Fault, ...]


def stream_items(path: Path, encoding: str) -> Iterator[StreamedItem]:
    """The items of a file that is one list.

    Raises `ConfigurationError` when it is no list, or no YAML from some line on.
    """
    composer = EventComposer(path, encoding, keeps_places=False)
    for event in composer.events:
        if not isinstance(event, DocumentStartEvent):
            continue
        start = composer.next()
        if not isinstance(start, SequenceStartEvent):
            composer.fail(start, "not a list of recipients: each one begins with `- `")
        yield from _items(composer)


def stream_list(path: Path, loc: Loc) -> Iterator[StreamedItem]:
    """The items of the list at `loc`, a way of keys, in a file of UTF-8.

    What stands before it is read for what it names by anchors. Raises `ConfigurationError` when
    there is no such list, which `read_document` has seen there.
    """
    composer = EventComposer(path, keeps_places=False)
    for event in composer.events:
        if isinstance(event, DocumentStartEvent):
            _enter(composer, loc)
            yield from _items(composer)
            return


def _items(composer: EventComposer) -> Iterator[StreamedItem]:
    while not isinstance(event := composer.next(), SequenceEndEvent):
        composer.begin_item()
        value = composer.compose(event, ())
        yield StreamedItem(place_of(event).line, value, tuple(composer.document.faults))
    composer.begin_item()


def _enter(composer: EventComposer, loc: Loc) -> None:
    """Consume what stands before the list's first item."""
    event = composer.next()
    for step in loc:
        if not isinstance(event, MappingStartEvent):
            composer.fail(event, _GONE)
        event = _value_of(composer, step)
    if not isinstance(event, SequenceStartEvent):
        composer.fail(event, _GONE)


def _value_of(composer: EventComposer, key: str | int) -> Event:
    while not isinstance(event := composer.next(), MappingEndEvent):
        found = composer.key(event, ())
        value = composer.next()
        if found == key:
            return value
        composer.compose(value, ())
    return composer.fail(event, _GONE)


_GONE = "the list of recipients is not here any more: the file has changed while it was read"
