"""What jinja2 says of a template that is none, in the words of who wrote it.

Its own are kept where none are better.
"""

from __future__ import annotations

import re
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
#: Of jinja2's sentence; ours. `due` and `found` in them are marks.
_PLAINLY = (
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
    (r"Encountered unknown tag '(?P<tag>\w+)'\..*", "there is no tag `{{% {tag} %}}`"),
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
                parts[mark] = end if is_end else _MARKS.get(parts[mark], f"`{parts[mark]}`")
            near = nearest(parts.get("name", ""), known)
            return ours.format(**parts) + (f". Did you mean `{near}`?" if near else "")
    return message
