from __future__ import annotations

import re
import sqlite3
from importlib import resources

import pytest

from bulkmail.ledger.connection import open_memory
from bulkmail.ledger.statements import load, parse

FILES = [
    "campaigns",
    "causes",
    "checked",
    "enrolment",
    "limits",
    "newcomers",
    "orders",
    "reading",
    "run",
    "schema",
    "series",
    "suppression",
    "warm_up",
]


def test_statements_are_found_by_name() -> None:
    text = "-- first one --\n-- What it does.\nSELECT 1;\n\n-- two --\n-- Else.\nSELECT\n2;\n"
    assert parse(text) == {"first one": "SELECT 1;", "two": "SELECT\n2;"}


@pytest.mark.parametrize(
    "text",
    [
        "-- a b --\n-- X.\nSELECT 1;\n-- a b --\n-- X.\nSELECT 2;\n",
        "-- ab --\nSELECT 1;\n",
        "-- ab --\n-- X.\n",
    ],
    ids=["twice", "no description", "no SQL"],
)
def test_careless_file_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="statement"):
        parse(text)


@pytest.mark.parametrize("file", FILES)
def test_every_statement_compiles_against_the_schema(file: str) -> None:
    connection = open_memory(0.0)
    connection.execute(load("causes")["create listed"])
    for statement in load(file).values():
        names = dict.fromkeys(re.findall(r":([a-z_0-9]+)", statement))
        values = names or [None] * statement.count("?")
        connection.execute("EXPLAIN " + statement, values)
    connection.close()


def test_every_file_is_looked_at() -> None:
    folder = resources.files("bulkmail.ledger")
    assert sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql")) == [
        f"{name}.sql" for name in FILES
    ]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("run", "due"),
        ("run", "lease"),
        ("run", "next due"),
        ("run", "renew"),
        ("run", "free claims"),
    ],
)
def test_hot_statements_look_at_no_more_rows_than_they_need(file: str, name: str) -> None:
    connection = open_memory(0.0)
    statement = load(file)[name]
    names = dict.fromkeys(re.findall(r":([a-z_0-9]+)", statement), 1)
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, names)]
    connection.close()

    assert not [step for step in plan if re.search(r"SCAN delivery", step)], plan


@pytest.mark.parametrize(
    ("file", "name", "index"),
    [
        ("orders", "orders", "delivery_put_back"),
        ("causes", "admit", "delivery_put_back"),
        ("causes", "judge put back", "delivery_put_back"),
        ("campaigns", "campaign by name", "delivery_put_back"),
        ("campaigns", "campaign by path", "delivery_put_back"),
        ("causes", "judge listed", "delivery_mailbox"),
    ],
)
def test_what_is_asked_at_every_start_looks_at_few_of_all_who_wait(
    file: str, name: str, index: str
) -> None:
    connection = open_memory(0.0)
    connection.execute(load("causes")["create listed"])
    statement = load(file)[name]
    names = dict.fromkeys(re.findall(r":([a-z_0-9]+)", statement), 1)
    plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + statement, names)]
    connection.close()

    assert not [step for step in plan if "SCAN delivery" in step or "delivery_due" in step], plan
    assert [step for step in plan if f"INDEX {index} " in step], plan


def test_sqlite_is_new_enough() -> None:
    assert sqlite3.sqlite_version_info >= (3, 37)
