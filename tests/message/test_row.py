from __future__ import annotations

from datetime import UTC, datetime

from message.sample_project import delivery

from bulkmail.message.row import ALWAYS, Row


def a_row() -> Row:
    read = delivery(name="Ada", mobile="138", now="a column")
    return Row(read, "offer", datetime(2026, 3, 2, tzinfo=UTC), UTC, {"mobile": "+86138"})


def test_of_columns_alone_nothing_is_gathered() -> None:
    read = delivery(name="Ada")

    assert Row(read, "offer", datetime(2026, 3, 2, tzinfo=UTC), UTC).columns is read.fields


def test_each_name_that_is_more_than_a_column_has_its_meaning() -> None:
    row = a_row()
    more = {name for name, value in row.variables.items() if row.delivery.fields.get(name) != value}

    assert more == {"key", "recipient", "campaign", "now", "mobile"}
    for name in row.variables.keys() - ALWAYS:
        assert row.columns[name] == row.variables[name]
