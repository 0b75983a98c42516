"""Rows written in the campaign's file are streamed when they are many: they are not held."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bulkmail.campaign import composer
from bulkmail.campaign.load import Campaign
from bulkmail.campaign.recipients import Row, open_recipients
from bulkmail.errors import ConfigurationError

Load = Callable[[str], Campaign]
HEAD = "from: a@example.com\nsubject: s\ntext: t.txt\n"


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """A campaign with these further keys; of its rows the first three are held."""
    (tmp_path / "t.txt").write_text("hello\n")

    def make(text: str) -> Campaign:
        path = tmp_path / "c.yaml"
        path.write_text(HEAD + text, "utf-8")
        return Campaign.load(path)

    return make


@pytest.fixture(autouse=True)
def _few_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "KEPT", 3)


def rows(campaign: Campaign) -> list[Row]:
    return list(open_recipients(campaign).rows())


def facts(row: Row) -> tuple[int, int, str, dict[str, object]]:
    return row.number, row.line, row.address, dict(row.fields)


LIST = "".join(f"  - {{email: r{n}@example.com, n: {n}, on: yes}}\n" for n in range(1, 8))


@pytest.mark.parametrize("long_form", [False, True])
def test_a_long_list_is_read_as_a_short_one_is(
    load: Load, monkeypatch: pytest.MonkeyPatch, long_form: bool
) -> None:
    text = f"recipients:\n{LIST}name: last\n"
    if long_form:
        text = f"recipients:\n  key: n\n  rows:\n{LIST}name: last\n"
    long = load(text)
    assert long.long_list == (("recipients", "rows") if long_form else ("recipients",))
    assert len(long.model.recipients.rows or ()) == 3
    streamed = rows(long)

    monkeypatch.setattr(composer, "KEPT", 1000)
    short = load(text)

    assert short.long_list is None
    assert [facts(row) for row in streamed] == [facts(row) for row in rows(short)]
    assert [row.key for row in streamed] == [row.key for row in rows(short)]
    assert long.name == short.name == "last"


def test_what_is_wrong_with_a_row_is_told_at_its_line(load: Load) -> None:
    campaign = load(
        f"recipients:\n{LIST}"
        "  - {email: nobody}\n"
        "  - {email: a@example.com, email: b@example.com}\n"
        "  - just text\n"
        "  - {email: c@example.com}\n"
    )

    found = [str(fault) for row in rows(campaign) for fault in row.faults]

    assert [text.split("c.yaml:")[1].split(" ")[0] for text in found] == ["12", "13", "14"]
    assert "`nobody` is not an address" in found[0]
    assert "(row 8" in found[0]
    assert "`email` is written twice" in found[1]
    assert "(row 10)" in found[2]


def test_yaml_that_breaks_far_down_is_told_with_line_and_column(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r"c\.yaml:12:5  not YAML: a mapping that \{ "):
        load(f"recipients:\n{LIST}  - {{email: a@example.com\n  - x: ]\n")


def test_anchors_are_known_before_in_and_behind_a_long_list(load: Load) -> None:
    campaign = load(
        "headers: {X-City: &city 北京}\n"
        f"recipients:\n{LIST}"
        "  - {email: &boss boss@example.com, city: *city}\n"
        "  - {email: z@example.com, boss: *boss, more: {again: &deep [1, 2]}}\n"
        "cc: [*boss]\n"
    )

    last = rows(campaign)[-2:]

    assert campaign.model.cc == ("boss@example.com",)
    assert [dict(row.fields) for row in last] == [
        {"email": "boss@example.com", "city": "北京"},
        {"email": "z@example.com", "boss": "boss@example.com", "more": {"again": [1, 2]}},
    ]


def test_aliases_are_bounded_in_each_row_and_not_over_all(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(composer, "MAX_ALIASED", 5)
    many = "".join(f"  - {{email: r{n}@example.com, x: *x}}\n" for n in range(20))
    campaign = load(f"headers: {{X: &x y}}\nrecipients:\n{LIST}{many}")
    assert len(rows(campaign)) == 27

    bomb = "  - {email: b@example.com, x: [*x, *x, *x, *x, *x, *x]}\n"
    campaign = load(f"headers: {{X: &x y}}\nrecipients:\n{LIST}{bomb}")
    with pytest.raises(ConfigurationError, match=r"c\.yaml:13:\d+  aliases that stand for more"):
        rows(campaign)


def test_an_alias_of_nothing_far_down_is_told(load: Load) -> None:
    campaign = load(f"recipients:\n{LIST}  - {{email: *nothing}}\n")

    with pytest.raises(ConfigurationError, match=r"c\.yaml:12:\d+  an alias"):
        rows(campaign)


def test_the_digest_follows_the_file(load: Load) -> None:
    first = open_recipients(load(f"recipients:\n{LIST}")).sha256()
    same = open_recipients(load(f"recipients:\n{LIST}")).sha256()
    other = open_recipients(load(f"recipients:\n{LIST}  - {{email: x@example.com}}\n")).sha256()

    assert first == same != other


def test_a_list_that_went_while_it_was_read_is_told(load: Load, tmp_path: Path) -> None:
    campaign = load(f"recipients:\n{LIST}")
    (tmp_path / "c.yaml").write_text(f"{HEAD}recipients: list.csv\n")

    with pytest.raises(ConfigurationError, match="the file has changed while it was read"):
        rows(campaign)


def test_memory_does_not_grow_with_the_rows(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(composer, "KEPT", 100)

    def peak(count: int) -> int:
        text = "".join(
            f"  - {{email: r{n}@example.com, text: {'x' * 200}}}\n" for n in range(count)
        )
        tracemalloc.start()
        try:
            campaign = load("recipients:\n" + text)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            seen = sum(1 for _ in open_recipients(campaign).rows())
            held = tracemalloc.get_traced_memory()[1] - before
        finally:
            tracemalloc.stop()
        assert seen == count
        return held

    assert peak(4000) < 2 * peak(400)
