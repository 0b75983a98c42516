"""The text part of a letter that was written in HTML only: what a person would read aloud.

One walk of the standard library's parser. Paragraphs are a blank line apart; lists have marks and
keep their nesting; cells of a row stand side by side; a link is followed by its address unless it
is its own text; images are their alternative text. Style, script, comments and what is hidden
(`display:none`, as in a preheader) are left out.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

_SPACE = re.compile(r"[ \t\r\n\f\v\xa0]+")
_FEW_DIGITS = re.compile("[0-9]{1,9}")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)|<!\[[^>]*>?", re.DOTALL)
_HIDDEN = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)

_SKIPPED = frozenset({"head", "script", "style", "template", "title"})
_VOID = frozenset({"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "table"})
_LINES = frozenset(
    {"address", "article", "caption", "center", "dd", "details", "div", "dl", "dt", "figcaption"}
    | {"figure", "footer", "form", "header", "li", "main", "nav", "ol", "option", "section"}
    | {"summary", "tr", "ul"}
)
#: Addresses worth showing; `#top`, `cid:` and `javascript:` are not.
_SHOWN = ("http://", "https://", "mailto:", "tel:", "sms:", "ftp://")


class _Page:
    """Lines under a prefix for quotes and lists, never two blank ones in a row."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line = ""
        #: What stands before each line: marks of open lists and quotes.
        self.prefixes: list[str] = []
        self._mark = ""
        #: Where in the prefixes the mark stands: in place of the innermost one.
        self._mark_place = (0, 0)
        #: Whether the last line says nothing; the marks of a quote may stand in it.
        self._is_blank = True
        self._separator = ""

    @property
    def is_line_empty(self) -> bool:
        return not self._line.strip()

    def say(self, text: str) -> None:
        """Add inline text, its white space collapsed."""
        text = _SPACE.sub(" ", text)
        if self.is_line_empty or self._line.endswith((" ", "\n")):
            text = text.lstrip(" ")
        if not text:
            return
        if self._separator and text.strip():
            self._line = self._line.rstrip() + self._separator
            text = text.lstrip(" ")
            self._separator = ""
        self._line += text

    def say_verbatim(self, text: str) -> None:
        """Add preformatted text, line ends as they are."""
        first, *rest = text.replace("\r\n", "\n").split("\n")
        self._line += first
        for line in rest:
            self._flush(keep_blank=True)
            self._line = line

    def separate(self) -> None:
        """Set the next cell off from this one, where there is text in both."""
        if not self.is_line_empty:
            self._separator = " | "

    def mark(self, mark: str) -> None:
        """Begin an item: its first line has `mark` in place of the innermost prefix."""
        self._mark = mark
        self._mark_place = (len("".join(self.prefixes[:-1])), len("".join(self.prefixes)))

    def outdent(self) -> str:
        """Close the innermost prefix, and give it; an item there that said nothing has no mark."""
        if len("".join(self.prefixes)) == self._mark_place[1]:
            self._mark = ""
        return self.prefixes.pop()

    def end_line(self, *, keep_blank: bool = False) -> None:
        """End the line that is begun; with `keep_blank` also an empty one (a second <br>)."""
        self._separator = ""
        if keep_blank or not self.is_line_empty:
            self._flush(keep_blank=keep_blank)

    def end_paragraph(self) -> None:
        """End the line and leave a blank one, in the quote only where what follows is, too."""
        self.end_line()
        if self._mark or not self._lines:
            return
        blank = "".join(self.prefixes).rstrip() if self._in_quote else ""
        if self._is_blank:
            self._lines[-1] = min(self._lines[-1], blank, key=len)
        else:
            self._lines.append(blank)
            self._is_blank = True

    def text(self) -> str:
        """All of it, one line end behind."""
        self.end_line()
        return "\n".join(self._lines).strip("\n") + "\n"

    @property
    def _in_quote(self) -> bool:
        return ">" in "".join(self.prefixes)

    def _flush(self, *, keep_blank: bool) -> None:
        line = self._line.rstrip()
        self._line = ""
        prefix = "".join(self.prefixes)
        if self._mark and line:
            begin, end = self._mark_place
            prefix = prefix[:begin] + self._mark.rjust(end - begin) + prefix[end:]
            self._mark = ""
        if line or (keep_blank and not self._is_blank):
            self._lines.append((prefix + line).rstrip())
            self._is_blank = not line


class _Reader(HTMLParser):
    """Turns tags into the page's paragraphs, lines and marks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = _Page()
        #: Elements inside a skipped one, that one first; text counts only while it is empty.
        self._skipping: list[str] = []
        #: Number of the last item of each open list; None in an unordered one.
        self._lists: list[int | None] = []
        self._links: list[tuple[str, list[str]]] = []
        self._is_pre = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipping or tag in _SKIPPED or _is_hidden(attrs):
            if tag not in _VOID:
                self._skipping.append(tag)
            return
        if tag in _PARAGRAPHS:
            self.page.end_paragraph()
        elif tag in _LINES:
            self.page.end_line()
        self._open(tag, dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        if self._skipping:
            if tag in self._skipping:
                while self._skipping.pop() != tag:
                    pass
            return
        if tag == "a" and self._links:
            self._end_link()
        elif tag in {"ul", "ol"} and self._lists:
            self._end_list()
        elif tag in _LINES:
            self.page.end_line()
        elif tag in _PARAGRAPHS:
            self.page.end_line()
            self._close_paragraph(tag)
            self.page.end_paragraph()

    def handle_data(self, data: str) -> None:
        if self._skipping:
            return
        for _, words in self._links:
            words.append(data)
        if self._is_pre:
            self.page.say_verbatim(data)
        else:
            self.page.say(data)

    def _open(self, tag: str, attributes: dict[str, str | None]) -> None:
        match tag:
            case "br":
                self.page.end_line(keep_blank=True)
            case "hr":
                self.page.end_paragraph()
                self.page.say("----")
                self.page.end_paragraph()
            case "a":
                self._links.append(((attributes.get("href") or "").strip(), []))
            case "img" if attributes.get("alt"):
                self.handle_data(f" {attributes['alt']} ")  # what stands beside it is no part of it
            case "ul" | "ol":
                self._begin_list(tag, attributes.get("start"))
            case "li":
                self._begin_item(attributes.get("value"))
            case "td" | "th":
                self.page.separate()
            case "blockquote":
                self.page.prefixes.append("> ")
            case "pre":
                self._is_pre = True

    def _close_paragraph(self, tag: str) -> None:
        if tag == "blockquote" and "> " in self.page.prefixes:
            while self.page.outdent() != "> ":
                pass
        elif tag == "pre":
            self._is_pre = False

    def _begin_list(self, tag: str, start: str | None) -> None:
        if not self._lists:
            self.page.end_paragraph()
        self._lists.append(_number(start, 1) - 1 if tag == "ol" else None)
        self.page.prefixes.append("   " if tag == "ol" else "  ")

    def _end_list(self) -> None:
        self.page.end_line()
        self._lists.pop()
        if self.page.prefixes:
            self.page.outdent()
        if not self._lists:
            self.page.end_paragraph()

    def _begin_item(self, value: str | None) -> None:
        if self._lists and self._lists[-1] is not None:
            self._lists[-1] = number = _number(value, self._lists[-1] + 1)
            self.page.mark(f"{number}. ")
        elif self._lists:
            self.page.mark("- ")

    def _end_link(self) -> None:
        href, words = self._links.pop()
        text = _SPACE.sub(" ", "".join(words)).strip()
        plain = href.removeprefix("mailto:").removeprefix("tel:")
        if href.lower().startswith(_SHOWN) and text not in {href, plain, plain.rstrip("/")}:
            self.page.say(f" ({plain})" if text else plain)


def plain_text(html: str) -> str:
    """What `html` says, as text; ends with one line end. Never raises: any HTML is readable."""
    reader = _Reader()
    # Conditional comments for Outlook, and marked sections, which the parser trips over.
    reader.feed(_COMMENT.sub("", html))
    reader.close()
    return reader.page.text()


def _number(text: str | None, default: int) -> int:
    """What an item is numbered with; a number that nobody counts to is none."""
    return int(text) if text and _FEW_DIGITS.fullmatch(text) else default


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    return any(
        name == "hidden" or (name == "style" and value and _HIDDEN.search(value))
        for name, value in attrs
    )
