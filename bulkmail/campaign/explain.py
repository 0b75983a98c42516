"""pydantic's errors as sentences for whoever wrote the file."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bulkmail.address import excerpt
from bulkmail.campaign.document import Loc
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.nearest import did_you_mean, nearest

_SENTENCES = {
    "missing": "is needed, and is not there",
    "string_type": "must be text; a number, or true and false, in quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "too_short": "is empty",
    "union_tag_not_found": "must be a list, or a mapping of names",
}

_NO_MAPPING = {"dict_type", "model_type", "model_attributes_type"}

#: Where text belongs and something else stands, by what that is.
_NO_TEXT = {
    list: "must be one text, not a list",
    dict: "must be text, not a mapping; quote text that has `: ` in it or begins with {",
    type(None): "must be text, and nothing stands there",
}

_QUOTED = re.compile("'([^']*)'")
#: Words of other programs for what is called otherwise here, where it is called so at all.
_OTHER_WORDS = {"ssl": "tls", "smtps": "tls", "ssl/tls": "tls", "plaintext": "none"}
#: What others call a key, where that is one of ours in another place.
_OTHER_KEYS = {"name": "server"}

_NOTHING = object()
#: Of so many places a key is said to belong to; of more, what may stand here is said instead.
_FEW = 3


def explained(
    error: ValidationError, model: type[StrictModel], written: Any
) -> list[tuple[Loc, str, bool]]:
    """Each error's place in what was written, its sentence, and whether it is about the key."""
    errors = error.errors(include_url=False)
    return [
        _explained(details, model, written)
        for details in errors
        # A list whose entries are all wrong is too short to pydantic, and not empty to its writer.
        if details["type"] != "too_short" or not _is_above_another(details, errors)
    ]


def _is_above_another(details: ErrorDetails, errors: list[ErrorDetails]) -> bool:
    loc = details["loc"]
    return any(len(other["loc"]) > len(loc) and other["loc"][: len(loc)] == loc for other in errors)


def _explained(
    details: ErrorDetails, model: type[StrictModel], written: Any
) -> tuple[Loc, str, bool]:
    loc = tuple(part for part in details["loc"] if not _is_marker(part))
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = {key for found in model.models_at(loc[:-1]) for key in found.key_names()}
        place = _as_written(loc, written, keeps_last=True)
        return place, f"unknown key. {_where_it_belongs(loc, sorted(known), model)}", True
    if kind == "value_error":
        sentence = str(context["error"])
    elif kind == "literal_error":
        sentence = f"must be one of {context['expected'].replace(' or ', ', ')}".replace("'", "`")
        sentence += _hint(details["input"], context["expected"])
    elif kind in {"greater_than", "greater_than_equal"}:
        sentence = f"must be {'more than' if 'gt' in context else 'at least'} {_bound(context)}"
    elif kind == "less_than_equal":
        sentence = f"must be at most {context['le']:,}"
    elif kind in _NO_MAPPING:
        is_row = loc[:1] == ("recipients",) and isinstance(loc[-1], int)
        sentence = _must_be_mapping(details["input"], is_row=is_row)
    else:
        sentence = _SENTENCES.get(kind, details["msg"])
        if kind == "string_type":
            sentence = _NO_TEXT.get(type(details["input"]), sentence)
    is_key = bool(details["loc"]) and details["loc"][-1] == "[key]"
    return _as_written(loc, written, keeps_last=kind == "missing"), sentence, is_key


def _where_it_belongs(loc: Loc, known: list[str], model: type[StrictModel]) -> str:
    """The few places where the key is known, nearest first; else the one that was meant."""
    key = str(loc[-1])
    for meant in (_OTHER_KEYS.get(key), f"{key}s", key.removesuffix("s")):
        if meant in known:
            return f"Did you mean `{meant}`?"
    for depth in range(len(loc) - 1, -1, -1):
        around = [part for part in loc[:depth] if isinstance(part, str)]
        at = f"under `{around[-1]}`" if around else "at the top of the file"
        models = sorted(model.models_at(loc[:depth]), key=lambda found: found.__name__)
        places = list(dict.fromkeys(place for found in models for place in found.places_of(key)))
        if depth == len(loc) - 1 and "" in places:
            break
        if 1 <= len(places) <= _FEW:
            named = " or ".join(f"under `{outer}`" if outer else at for outer in places)
            return f"It belongs {named}."
    return did_you_mean(key, known)


def _must_be_mapping(value: Any, *, is_row: bool) -> str:
    """What was written is repeated of a row only: elsewhere it may be a login."""
    sentence = "must be a mapping, with a `key: value` a line"
    if is_row and isinstance(value, str) and "@" in value:
        return f"{sentence}, such as `email: {excerpt(value)}`"
    if isinstance(value, str) and re.match(r"[\w-]+:[^\s/]", value):
        return f"{sentence}: a space belongs behind the colon"
    return sentence


def _hint(value: Any, expected: str) -> str:
    """`. Did you mean …?` for a word that is nearly one of the expected ones."""
    known = _QUOTED.findall(expected)
    meant = _OTHER_WORDS.get(value.lower(), value) if isinstance(value, str) else ""
    near = nearest(meant, known)
    return f". Did you mean `{near}`?" if near else ""


def _bound(context: dict[str, Any]) -> Any:
    return context.get("gt", context.get("ge"))


def _is_marker(part: str | int) -> bool:
    """Parts of pydantic's locations that are no keys: which form of a union, a mapping's key."""
    return isinstance(part, str) and (part == "[key]" or (part[:1] == "<" and part[-1:] == ">"))


def _as_written(loc: Loc, written: Any, *, keeps_last: bool) -> Loc:
    """`loc` without the steps that a short form leaves out (`recipients.rows[0]`, `rate[0]`)."""
    short: list[str | int] = []
    value = written
    for position, part in enumerate(loc):
        found = _part_of(value, part)
        if found is not _NOTHING:
            value = found
            short.append(part)
        elif keeps_last and position == len(loc) - 1:
            short.append(part)
    return tuple(short)


def _part_of(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part, _NOTHING)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return _NOTHING
