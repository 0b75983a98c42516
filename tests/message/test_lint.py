"""What `check` tells of a message that can be sent."""

from typing import Any

import pytest
from message.sample_project import Project

from bulkmail.message.lint import lint

GOOD = (
    "<p>Dear {{ name }}</p><img src='cid:logo' alt='Logo'><img src='x.png' alt=''>"
    "<a href='https://a.example'>a</a><a href='#top'>b</a><a href='mailto:a@b.example'>c</a>"
    "<a href='tel:+441'>d</a>"
)


async def notices(project: Project, html: str, **keys: Any) -> tuple[str, ...]:
    project.template("a.html", html)
    return lint(await project.compose({"name": "Ada"}, html="a.html", **keys))


@pytest.mark.parametrize(
    ("html", "sentence"),
    [
        ("<img src='https://a.example/x.png'>", "an image without alt text"),
        ("<img src='cid:logo' alt=''>", "shows cid:logo, and no image of that name comes along"),
        ("<img src='data:image/png;base64,AA' alt=''>", "an image within itself (data:)"),
        ("<img src='/x.png' alt=''>", "shows `/x.png`, which no reader can load"),
        ("<a href='http://a.example/?t=1'>x</a>", "not encrypted (http): http://a.example/"),
        ("<img src='http://a.example/x' alt=''>", "not encrypted (http): http://a.example/x"),
        ("<a href='https://localhost:8000/x'>x</a>", "own machine: https://localhost:8000/x"),
        ("<a href='http://127.0.0.1/x'>x</a>", "own machine: http://127.0.0.1/x"),
        ("<a href='page.html'>x</a>", "leads nowhere from a mail: `page.html`"),
        ("<a href='http://[x'>x</a>", "`http://[x` is no link"),
        ("{{ '{{ name }}' }}", "the HTML has `{{ name }}` in it"),
        ("{{ '{% if x %}' }}", "the HTML has `{% if x %}` in it"),
        ("Dear {First Name}", "the HTML has `{First Name}` in it: was a template meant?"),
        ("Dear ${name}", "the HTML has `${name}` in it"),
        ("Dear [[name]]", "the HTML has `[[name]]` in it"),
        ("Dear *|FNAME|*", "the HTML has `*|FNAME|*` in it"),
        ("x" * 100_001, "the HTML has more than 100 kB"),
    ],
)
async def test_what_is_rarely_meant_is_told(project: Project, html: str, sentence: str) -> None:
    found = await notices(project, html)

    assert any(sentence in notice for notice in found), found


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"subject": "x" * 79}, "more than 78 characters"),
        ({"subject": "{{ '{{ name }}' }}"}, "the subject has `{{ name }}` in it"),
        ({"subject": ""}, "the subject is empty"),
        ({"headers": {"List-ID": "<news.example.com>"}}, "without List-Unsubscribe"),
        ({"headers": {"Precedence": "bulk"}}, "nothing in the text says how to unsubscribe"),
    ],
)
async def test_what_stands_in_the_header_is_looked_at(
    project: Project, keys: dict[str, Any], sentence: str
) -> None:
    found = await notices(project, "<p>Hello</p>", **keys)

    assert any(sentence in notice for notice in found), found


@pytest.mark.parametrize(
    "html",
    [
        GOOD,
        "x" * 99_990,
        "",
    ],
)
async def test_a_good_letter_is_worth_no_word(project: Project, html: str) -> None:
    project.file("x.png", "x")

    assert await notices(project, html, subject="x" * 78, inline={"logo": "x.png"}) == ()


async def test_a_large_attachment_is_not_read(project: Project) -> None:
    project.file("big.bin", bytes(3_000_000))
    project.file("x.png", "x")

    found = await notices(
        project, "<img src='cid:logo' alt=''>", inline={"logo": "x.png"}, attachments=["big.bin"]
    )

    assert found == ()


async def test_an_attached_letter_brings_no_image_of_ours(project: Project) -> None:
    project.file("old.eml", "From: a@b.example\r\nContent-ID: <logo>\r\n\r\nhello\r\n")

    found = await notices(project, "<img src='cid:logo' alt=''>", attachments=["old.eml"])

    assert any("cid:logo, and no image of that name" in notice for notice in found), found
