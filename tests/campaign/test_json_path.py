"""One place in a JSON document."""

from __future__ import annotations

from typing import Any

import pytest

from bulkmail.campaign.json_path import look_up, parse_json_path

DOCUMENT = {
    "code": 2,
    "data": {"id": "7", "a b": 1},
    "messages": [{"id": 5}, {"id": 6}],
    "no": None,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("code", 2),
        ("$.code", 2),
        ("data.id", "7"),
        ('data["a b"]', 1),
        ("$['data']['id']", "7"),
        ("messages[0].id", 5),
        ("messages[-1].id", 6),
        ("messages[2].id", None),
        ("data.id.more", None),
        ("messages.id", None),
        ("code[0]", None),
        ("data.id[0]", None),
        ("no", None),
        ("nothing", None),
    ],
)
def test_what_stands_there_is_found(path: str, found: Any) -> None:
    assert look_up(DOCUMENT, parse_json_path(path)) == found


@pytest.mark.parametrize(
    "path", ["a..b", "a[*]", "a[?(@.b)]", "a b", "..", "a.", "a[1", "[1]x", "*"]
)
def test_what_names_no_one_place_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="is no path"):
        parse_json_path(path)
