"""What jinja2 says of a template that is none, in the words of who wrote it.

Its own are kept where none are better.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from bulkmail.campaign.nearest import nearest

#: What jinja2 calls the marks of a template.
_MARKS = {
    "end of print statement": "`}}`",
    "end of statement block": "`%}`",
    "begin of print statement": "`{{`",
    "begin of statement block": "`{%`",
    "end of template": "the end",
    "name": "a name",
}
_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set", "include", "extends", "block")
#: What word processors make of quotes.
_STRAIGHT = str.maketrans(dict.fromkeys("“”„", '"') | dict.fromkeys("‘’‚", "'"))
#: Of jinja2's sentence; ours. `due` and `found` in them are marks.
_PLAINLY = (
    (r"unexpected '}'", "`}}` closes nothing: `{{{{` needs `}}}}`, and `{{%` needs `%}}`"),
    (r"expected token ':', got '}'", "`:` is missing, or `{{{{{{` has a brace too many"),
    (
        r"expected token 'end of print statement', got '(?P<found>\w+)'",
        '{found} stands where `}}}}` belongs; a column of two words is `recipient["…"]`',
    ),
    (
        r"expected token '(?P<due>.+)', got '='",
        "`=` stands where {due} belongs: two values are compared by `==`",
    ),
    (
        r"expected token '(?P<due>.+)', got '(?P<found>.+)'",
        "{found} stands where {due} belongs",
    ),
    (
        r"unexpected '(?P<found>.+)', expected '(?P<due>.+)'",
        "{found} stands where {due} belongs",
    ),
    (r"unexpected end of template, expected '(?P<due>.+)'\.", "{due} is missing"),
    (
        r"(?:Expected an expression, got|unexpected) '(?P<found>.+)'",
        "{found} stands where a value belongs",
    ),
    (
        r"unexpected char ['\"](?P<found>.)['\"] at \d+",
        "{found} means nothing in a template, or a quote is never closed",
    ),
    (
        r"Unexpected end of template\..*'(?P<block>\w+)'\.",
        "`{{% {block} %}}` is never closed: `{{% end{block} %}}` is missing",
    ),
    (
        r"Encountered unknown tag '(?P<tag>end\w+|else|elif)'\..* closed is '(?P<block>\w+)'\.",
        "`{{% {tag} %}}` stands within `{{% {block} %}}`, which `{{% end{block} %}}` closes",
    ),
    (
        r"Encountered unknown tag '(?P<tag>end\w+|else|elif)'\.",
        "`{{% {tag} %}}` stands where nothing is open that it belongs to",
    ),
    (r"Encountered unknown tag '(?P<name>\w+)'\..*", "there is no tag `{{% {name} %}}`"),
    (r"Missing end of raw directive", "`{{% raw %}}` is never closed: `{{% endraw %}}` is missing"),
    (r"Missing end of comment tag", "`{{#` is never closed: `#}}` is missing"),
    (r"expected name or number", "a name belongs behind a dot"),
    (r"No (?P<kind>filter|test) named '(?P<name>.+)'\.", "there is no {kind} `{name}`"),
)


def plainly(message: str, known: Iterable[str] = (), *, end: str = "") -> str:
    """The sentence for jinja2's `message`.

    `known` are the names of the filters and tests there are; `end` is what ends what was compiled,
    where that is no mark of the template's.
    """
    for theirs, ours in _PLAINLY:
        if found := re.fullmatch(theirs, message, re.DOTALL):
            parts = found.groupdict()
            for mark in parts.keys() & {"due", "found"}:
                is_end = end and parts[mark] == "end of statement block"
                parts[mark] = end if is_end else _called(parts[mark], is_due=mark == "due")
            near = nearest(parts.get("name", ""), _TAGS if " tag " in ours else known)
            return ours.format(**parts) + (f". Did you mean `{near}`?" if near else "")
    return message


def _called(mark: str, *, is_due: bool) -> str:
    if mark == "name" and not is_due:
        return "`name`"  # the word itself, as a column may be called
    plain = unicodedata.normalize("NFKC", mark).translate(_STRAIGHT)
    if plain != mark and plain.isascii():
        return f"`{mark}`, which is not `{plain}`,"
    return _MARKS.get(mark, f"`{mark}`")
