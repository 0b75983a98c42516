"""Bodies in Markdown, style sheets in style attributes."""

import importlib
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from message.sample_project import Project

from bulkmail.message.markup import markdown, markdown_text


async def test_markdown_becomes_html_and_text(project: Project) -> None:
    project.template(
        "letter.md.j2",
        "# Dear {{ name }}\n\nYour *new* [page](https://example.com/?a=1&b={{ token }}):\n\n"
        "- one\n- two\n\n| a | b |\n| - | - |\n| 1 | {{ n }} |\n",
    )

    mail = await project.compose({"name": "Ada", "token": "x_y_z", "n": 7}, body="letter.md.j2")

    html = project.text(mail, "html")
    assert "<h1>Dear Ada</h1>" in html
    assert '<a href="https://example.com/?a=1&amp;b=x_y_z">page</a>' in html
    assert "<td>7</td>" in html
    assert project.text(mail) == (
        "Dear Ada\n\nYour new page (https://example.com/?a=1&b=x_y_z):\n\n- one\n- two\n\n"
        "a | b\n1 | 7\n"
    )


@pytest.mark.parametrize(
    "value",
    ["<script>", "[x](http://evil.example)", "*a* _b_ `c`", "# no\n- no\n> no", "\n    code",
     "![x](x.png)", "a | b", "1. one", "&amp; &lt;", "\\*", "===\n---", "http://x.example/a_b"],
)  # fmt: skip
async def test_a_value_is_text_and_never_a_mark(project: Project, value: str) -> None:
    project.template("letter.md.j2", "Dear {{ name }}!")

    mail = await project.compose({"name": value}, to="a@b.example", body="letter.md.j2")

    html = project.text(mail, "html")
    inner = html.partition("<p>")[2].rpartition("</p>")[0]
    assert "<" not in inner
    words = " ".join(value.split())
    assert " ".join(project.text(mail).split()) == f"Dear {words}!"


@pytest.mark.parametrize(
    ("template", "html"),
    [
        ("`{{ v }}`", "<p><code>A-1_*&amp;#95;&lt;b&gt;`</code></p>"),
        ("    {{ v }}", "<pre><code>A-1_*&amp;#95;&lt;b&gt;`\n</code></pre>"),
        ("`&#45;` and &#45;", "<p><code>&amp;#45;</code> and -</p>"),
        ("```\n{{ v }}\n```", "<pre><code>A-1_*&amp;#95;&lt;b&gt;`\n</code></pre>"),
        (
            "<https://e.example/{{ u }}>",
            (
                '<p><a href="https://e.example/a-b_c?d=1&amp;e=2">'
                "https://e.example/a-b_c?d=1&amp;e=2</a></p>"
            ),
        ),
        ("[t](https://e.example/{{ w }})", '<p><a href="https://e.example/a&amp;#45;b">t</a></p>'),
        ("<{{ script }}>", "<p>&lt;javascript:alert(1)&gt;</p>"),
    ],
    ids=[
        "code",
        "indented code",
        "the author's own reference",
        "fenced code",
        "a bare link",
        "a link",
        "no link",
    ],
)
def test_a_value_is_as_it_was_in_code_and_bare_links(template: str, html: str) -> None:
    values = {
        "v": "A-1_*&#95;<b>`",
        "u": "a-b_c?d=1&e=2",
        "w": "a&#45;b",
        "script": "javascript:alert(1)",
    }
    for name, value in values.items():
        template = template.replace(f"{{{{ {name} }}}}", markdown_text(value))

    page = markdown()(template)

    assert page.partition("<body>\n")[2].partition("</body>")[0].rstrip("\n") == html


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"])))
def test_no_text_makes_a_mark(value: str) -> None:
    html = markdown()(f"x{markdown_text(value)}x")

    assert html.count("<") == len(
        ["!DOCTYPE", "html", "head", "meta", "/head", "body", "p", "/p", "/body", "/html"]
    )


async def test_a_macro_and_safe_html_stay_what_they_are(project: Project) -> None:
    project.template(
        "letter.md.j2",
        "{% macro bold(t) %}**{{ t }}**{% endmacro %}{{ bold(name) }} {{ html | safe }}{{ none }}",
    )

    mail = await project.compose(
        {"name": "A*", "html": "<b>x</b>", "none": None}, body="letter.md.j2"
    )

    assert "<strong>A*</strong> <b>x</b>" in project.text(mail, "html")


async def test_styles_are_inlined_and_media_queries_stay(project: Project) -> None:
    project.template(
        "a.html",
        "<html><head><style>p { color: red } @media print { p { color: blue } }</style></head>"
        "<body><p>{{ name }}</p></body></html>",
    )

    mail = await project.compose({"name": "A & B"}, html="a.html", css="inline")

    html = project.text(mail, "html")
    assert '<p style="color: red;">A &amp; B</p>' in html
    assert "@media print" in html


async def test_without_css_the_html_stays_as_it_is(project: Project) -> None:
    page = "<style>p { color: red }</style><p>x</p>"
    project.template("a.html", page)

    assert project.text(await project.compose(html="a.html"), "html") == page + "\n"


async def test_a_style_sheet_of_its_own_dresses_a_letter_in_markdown(project: Project) -> None:
    project.template("letter.md.j2", "Hello")
    project.template("mail.css", "p { margin: 0 }")

    mail = await project.compose(body="letter.md.j2", css="mail.css")

    assert '<p style="margin: 0;">Hello</p>' in project.text(mail, "html")


async def test_a_style_sheet_elsewhere_is_never_loaded(project: Project) -> None:
    project.file("secret.css", "p { color: red }")
    project.template(
        "a.html", f'<link rel="stylesheet" href="file://{project.root}/secret.css"><p>'
    )

    assert "red" not in project.text(await project.compose(html="a.html", css="inline"), "html")


async def test_a_missing_style_sheet_is_told_before_any_row(project: Project) -> None:
    project.template("letter.md.j2", "Hello")
    project.template("mail.css", "")

    (fault,) = await project.faults(body="letter.md.j2", css="mial.css")

    assert fault.key == "css"
    assert fault.message.startswith("the style sheet `mial.css` is not in ")
    assert "Did you mean `mail.css`?" in fault.message


def test_another_style_sheet_is_another_campaign_to_check(project: Project) -> None:
    project.template("letter.md.j2", "Hello")
    project.template("mail.css", "a {}")
    before = project.composer(body="letter.md.j2", css="mail.css").fingerprint()
    project.template("mail.css", "b {}")

    assert project.composer(body="letter.md.j2", css="mail.css").fingerprint() != before


@pytest.mark.parametrize(
    ("keys", "module", "key"),
    [
        ({"body": "a.md"}, "markdown_it", "body"),
        ({"html": "a.md", "css": "inline"}, "css_inline", "css"),
    ],
)
async def test_a_missing_extra_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any], module: str, key: str
) -> None:  # fmt: skip
    project.template("a.md", "x")
    there = importlib.import_module

    def without(name: str, *more: Any) -> Any:
        if name == module:
            raise ImportError(name)
        return there(name, *more)

    monkeypatch.setattr("importlib.import_module", without)

    (fault,) = await project.faults(**keys)

    assert fault.key == key
    assert fault.message.endswith("pip install 'bulkmail[html]'")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"body": "a", "html": "b"}, "it is one or the other"),
        ({"text": "a", "css": "inline"}, "is for `html` or `body`"),
    ],
)
async def test_keys_that_cannot_stand_together(
    project: Project, keys: dict[str, Any], message: str
) -> None:
    (fault,) = await project.faults(**keys)

    assert message in fault.message
