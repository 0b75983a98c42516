"""What is filled in without jinja2 is what jinja2 would have made of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from bulkmail.message.templates.plain import PlainTemplate
from bulkmail.message.transfer_encoding import BodyText, encode_text

ENVIRONMENT = SandboxedEnvironment(keep_trailing_newline=True)
OF_HTML = SandboxedEnvironment(keep_trailing_newline=True, autoescape=True)
VALUES = st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False)


@given(
    st.lists(
        st.sampled_from(
            [
                "{{ name }}",
                "{{city}}",
                "{{ name | safe }}",
                "{{- name -}}",
                " <",
                "a\n",
                "{# x #}",
                "%",
                "s",
            ]
        )
    ),
    st.dictionaries(st.sampled_from(["name", "city", "range"]), VALUES),
)
def test_it_is_filled_in_as_jinja2_does(pieces: list[str], row: dict[str, Any]) -> None:
    source = "".join(pieces)
    for environment in (ENVIRONMENT, OF_HTML):
        plain = PlainTemplate.of(environment.parse(source), is_html=environment is OF_HTML)
        assert plain is not None
        text, body = plain.text(row), plain.body(row)
        assert text is None or text == environment.from_string(source).render(row)
        assert body is None or text is not None
        if body is not None:
            encoded = encode_text(body)
            assert encoded == encode_text(BodyText.of(text or ""))
            assert body.decode().rstrip("\n") == (text or "").rstrip("\n")


def test_text_and_whole_numbers_need_no_engine() -> None:
    plain = PlainTemplate.of(ENVIRONMENT.parse("Dear {{ name }}, {{ n }}"))

    assert plain is not None
    assert plain.text({"name": "Ada", "n": 7}) == "Dear Ada, 7"
    assert plain.text({"name": "Ada"}) is None
    assert plain.text({"name": None, "n": 7}) is None
    assert plain.text({"name": "Ada", "n": True}) is None


@pytest.mark.parametrize("value", ["a\0b", "\0", "\ud800"])
def test_what_no_message_can_carry_is_jinja2s_to_find(value: str) -> None:
    plain = PlainTemplate.of(ENVIRONMENT.parse("Dear {{ name }}, {{ city }}"))

    assert plain is not None
    assert plain.body({"name": value, "city": "Graz"}) is None
    body = plain.body({"name": "Ada", "city": "Graz"})
    assert body is not None
    assert body.decode() == "Dear Ada, Graz"
    assert PlainTemplate.of(ENVIRONMENT.parse("a NUL, \0, {{ name }}")) is None


@pytest.mark.parametrize(
    "source",
    [
        "{{ name | upper }}",
        "{{ name | upper | safe }}",
        "{% if a %}{{ a }}{% endif %}",
        "{{ a.b }}",
        "{{ self }}",
        "{{ 1 + 1 }}",
    ],
)
def test_whatever_else_is_jinja2s(source: str) -> None:
    assert PlainTemplate.of(ENVIRONMENT.parse(source)) is None
