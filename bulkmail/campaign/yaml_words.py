"""What libyaml says of text that is no YAML, in the words of who wrote it.

Its own are kept where none are better.
"""

from __future__ import annotations

#: Of libyaml's context, of its problem; the sentence; whether the fault is where the context began,
#: or where libyaml noticed it.
_PLAINLY = (
    ("quoted scalar", "end of stream", "a quote is opened here and never closed", True),
    (
        "",
        "found character that cannot start any token",
        "a tab, @, ` or % that begins a value; indent by spaces, quote text",
        False,
    ),
    (
        "flow sequence",
        "did not find expected",
        "a list that [ opens here has no ], or no comma between two values",
        True,
    ),
    (
        "flow mapping",
        "did not find expected",
        "a mapping that { opens here has no }, or no comma between two keys; in it, quote ${…}",
        True,
    ),
    (
        "scanning an a",
        "alphabetic or numeric character",
        "a value that begins with * or &; quote text",
        True,
    ),
    (
        "",
        "block sequence entries are not allowed",
        "`- ` behind a key; each entry of a list has a line of its own, and text has quotes",
        False,
    ),
    ("", "tab character", "a tab where YAML is indented; indent by spaces", False),
    (
        "",
        "mapping values are not allowed",
        "a `: ` where no key can end; quote text that has a colon in it, or mend the indentation",
        False,
    ),
    # It is noticed behind the line's end.
    (
        "simple key",
        "could not find expected ':'",
        "a key needs a colon and a space behind it",
        True,
    ),
    (
        "block mapping",
        "did not find expected key",
        "no key where one belongs; indent it as the keys around it, quote text",
        False,
    ),
    (
        "block collection",
        "did not find expected '-' indicator",
        "neither a further `- ` nor the list's end; indent it as the lines around it",
        False,
    ),
)


def plainly(context: str, problem: str) -> tuple[str, bool]:
    """The sentence, and whether the fault is where the context began, not where it was noticed."""
    for in_context, in_problem, sentence, is_where_it_began in _PLAINLY:
        if in_context in context and in_problem in problem:
            return sentence, is_where_it_began
    return ", ".join(part for part in (context, problem) if part), False
