"""Bounces find their way home."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from message.sample_project import INSTANT, Project, delivery

from bulkmail.address import parse_address
from bulkmail.message.verp import MAX_SIZE, verp

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


def read_back(text: str) -> str:
    """What a program that reads bounces makes of it."""
    octets = re.sub(r"\+([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), text.replace("=", "@"))
    return octets.encode("latin-1").decode()


@given(KEYS | st.emails())
@example("..a..b.@..")
@example("+2E=@%")
@example("李伟@example.com")
def test_it_stands_before_an_at_sign_and_comes_back(key: str) -> None:
    text = verp(key)

    assert parse_address(f"bounces+{text}@example.com").local == f"bounces+{text}"
    assert len(text) <= MAX_SIZE
    assert text.startswith("+-") or read_back(text) == key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("li.wei@example.org", "li.wei=example.org"),
        ("a+b=c@example.org", "a+2Bb+3Dc=example.org"),
        ("E-1001", "E-1001"),
        ("王", "+E7+8E+8B"),
        (".a..b.", "+2Ea.+2Eb+2E"),
        (7, "7"),
        ("x" * 51, "+-3ecd502af72c4cf4414ffb5c7eb7bdf2"),
    ],
)
def test_it_is_written_as_bounce_programs_know_it(key: object, text: str) -> None:
    assert verp(key) == text


async def test_a_return_path_names_the_recipient(project: Project) -> None:
    mail = await project.compose(return_path="bounces+{{ key | verp }}@example.com")

    assert mail.envelope.reverse_path == "bounces+li.wei=example.com@example.com"


async def test_a_column_called_key_goes_before_the_rows_key(project: Project) -> None:
    composer = project.composer(subject="{{ key }}")

    own = await composer.compose(delivery(key="mine"), INSTANT)
    without = await composer.compose(delivery(address="Li.Wei@example.com"), INSTANT)

    assert project.parsed(own)["subject"] == "mine"
    assert project.parsed(without)["subject"] == "li.wei@example.com"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("List-ID", "Field Notes <notes.example.com>", "Field Notes <notes.example.com>"),
        ("Precedence", "bulk", "bulk"),
        ("Auto-Submitted", "auto-generated", "auto-generated"),
        ("Feedback-ID", "{{ campaign }}:{{ kind }}:example", "offer:a:example"),
        ("Importance", "high", "high"),
        ("Sender", "Office <office@example.com>", "Office <office@example.com>"),
        ("Content-Language", "de", "de"),
        ("Organization", "例子公司", "例子公司"),
    ],
)
async def test_fields_that_providers_look_at_are_headers_like_any(
    project: Project, name: str, value: str, shown: str
) -> None:
    mail = await project.compose({"kind": "a"}, headers={name: value})

    assert project.parsed(mail)[name] == shown
