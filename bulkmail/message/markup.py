"""Markdown to HTML, and style sheets into style attributes, by libraries of the extra `html`."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from markupsafe import Markup

from bulkmail.message.extra import extra

#: From one text to another; never raises for what a template can come to.
Convert = Callable[[str], str]

# As numeric references they are text wherever Markdown and HTML look for a mark of theirs
# (CommonMark, 2.5), also in a link's address. Of as many digits as there may be, which no author
# writes: in code, an author's own reference stays what it is.
_MARKS = {ord(mark): f"&#{ord(mark):07};" for mark in "\\`*_{}[]()<>#+-.!|~=&$^\"'"}
_REFERENCE = re.compile("|".join(_MARKS.values()))
_INDENT = re.compile(r"\n[ \t]+")


def markdown_text(value: Any) -> Any:
    """What a value comes to in a Markdown template: text, never a mark; `Markup` stays."""
    if value is None:
        return ""
    if isinstance(value, Markup) or hasattr(value, "__html__"):
        return value
    return Markup(_INDENT.sub("\n", str(value)).strip(" \t").translate(_MARKS))  # noqa: S704  # it is escaped


def markdown() -> Convert:
    """From Markdown (CommonMark with tables and strikethrough) to an HTML page.

    HTML in it stays. Raises `MissingExtra`.
    """
    module = extra("markdown_it", "a body in Markdown", "html")
    parser = module.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    # In code and in `<https://…>` a reference is what it is written as (CommonMark, 6.1).
    parser.core.ruler.push("values in code", _read_values_in_code)
    parser.inline.ruler.at("autolink", _with_values(module.rules_inline.autolink, parser))

    def convert(text: str) -> str:
        return (
            '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n</head>\n<body>\n'
            f"{parser.render(text)}</body>\n</html>\n"
        )

    return convert


def _read_values_in_code(state: Any) -> None:
    for token in state.tokens:
        for part in (token, *(token.children or ())):
            if part.type in {"code_inline", "code_block", "fence"}:
                part.content = _as_given(part.content)


def _with_values(autolink: Callable[[Any, bool], bool], parser: Any) -> Callable[[Any, bool], bool]:
    """The rule of `<https://…>`, for addresses as the row gives them; others are read as such."""
    reads = SimpleNamespace(
        normalizeLink=lambda address: parser.normalizeLink(_as_given(address)),
        normalizeLinkText=lambda address: parser.normalizeLinkText(_as_given(address)),
        validateLink=parser.validateLink,
    )

    def rule(state: Any, silent: bool) -> bool:  # noqa: FBT001  # as they are called
        state.md = reads
        try:
            return autolink(state, silent)
        finally:
            state.md = parser

    return rule


def _as_given(text: str) -> str:
    """Without the references of `markdown_text`, where nothing else would read them."""
    return _REFERENCE.sub(lambda found: chr(int(found[0][2:-1])), text)


def css_inlined(style_sheet: str | None) -> Convert:
    """Style sheets, those in `<style>` and this one, into style attributes.

    Rules with an @ (media queries) stay in a `<style>`. Nothing is loaded from anywhere. Raises
    `MissingExtra`.
    """
    module = extra("css_inline", "inlining CSS", "html")
    inliner = module.CSSInliner(
        keep_at_rules=True, load_remote_stylesheets=False, extra_css=style_sheet
    )

    def convert(html: str) -> str:
        inlined: str = inliner.inline(html)
        return inlined

    return convert
