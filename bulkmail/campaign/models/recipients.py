"""Where recipients come from, as it is written: a file, rows, a database, a web server, a command.

What needs more than one of these keys is at the end; as in rules.py, it looks at what was written.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from bulkmail.campaign.document import Loc
from bulkmail.campaign.header_name import checked_header_name
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.secret_reference import SecretText
from bulkmail.campaign.values import Count, FilledLine, PositiveDuration, Text

#: The keys of which one says where the list is.
ORIGINS = ("path", "rows", "sql", "http", "command")
#: What is for some of them only.
_ONLY_FOR = {
    "url": ("sql",),
    "headers": ("http",),
    "format": ("http", "command"),
    "max_mb": ("http", "command"),
    "timeout": ("sql", "http", "command"),
    "encoding": ("path", "http", "command"),
    "sheet": ("path",),
}


def _filled_text(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL")
    return text


#: A word of a command: anything, a script of several lines too.
Argument = Annotated[Text, AfterValidator(_argument)]


class RecipientsModel(StrictModel):
    """Who gets the campaign: a file, rows right here, or where they are looked up."""

    path: FilledLine | None = Field(
        None, description="A file in .csv .tsv .jsonl .json .yaml or .xlsx."
    )
    rows: tuple[dict[str, Any], ...] | None = Field(
        None, description="The rows themselves, instead of a file."
    )
    sql: Annotated[Text, AfterValidator(_filled_text)] | None = Field(
        None,
        description="Instead of a file: a statement that selects them, in a read-only transaction. "
        "`:now` and `:last_run` in it are the instant, and that of the occurrence before "
        "(1970-01-01 where there was none, and in a `send`). Needs the extra `sql`.",
    )
    url: SecretText | None = Field(
        None,
        description="The database of `sql`: `${DB_URL}`, `{file: PATH}`, or as it is: "
        "`postgresql://reader@db.example.com/crm`, `sqlite:///crm.db` (beside the campaign, or "
        "at the root).",
    )
    http: SecretText | None = Field(
        None,
        description="Instead of a file: its address, `https://…`, in which `${NAME}` may stand. "
        "What did not change is not transferred again (ETag). Needs the extra `http`.",
    )
    headers: dict[Annotated[Text, AfterValidator(checked_header_name)], SecretText] = Field(
        default_factory=dict,
        description="Header fields of the request: `Authorization: Bearer ${TOKEN}`. They go to "
        "no other host, whatever it redirects to.",
    )
    command: Annotated[tuple[Argument, ...], Field(min_length=1)] | None = Field(
        None,
        description="Instead of a file: a program and its arguments, without a shell, run at the "
        "project's root. What it prints is the list.",
    )
    format: Literal["csv", "tsv", "jsonl"] | None = Field(
        None, description="What `http` or `command` gives. Default: `csv`."
    )
    timeout: PositiveDuration = Field(
        300.0, description="How long `sql`, `http` or `command` may take in all."
    )
    max_mb: Count = Field(
        500, description="The most that `http` or `command` may give, in megabytes."
    )
    encoding: FilledLine | None = Field(
        None, description="The text's encoding, such as `gb18030`. Default: UTF-8, BOM or not."
    )
    email: FilledLine | None = Field(
        None,
        description="The column that holds the address. Default: one that is called email, "
        "e-mail, mail, 邮箱, 电子邮件 or address, in any case.",
    )
    mobile: FilledLine | None = Field(
        None,
        description="With `channel: sms`: the column that holds the number, as the campaign's own "
        "`mobile`.",
    )
    key: FilledLine | None = Field(
        None,
        description="The column that tells recipients apart in the ledger. Default: the address "
        "in lower case.",
    )
    sheet: FilledLine | None = Field(
        None, description="The sheet of an .xlsx file, by name. Default: the first."
    )

    @property
    def is_fetched(self) -> bool:
        """Whether the list has to be asked for before it can be read."""
        return self.path is None and self.rows is None


def broken_recipients_rules(recipients: Any) -> Iterator[tuple[Loc, str]]:
    """What cannot stand together, or has to: where, and the sentence."""
    loc: Loc = ("recipients",)
    if isinstance(recipients, list) and not recipients:
        yield loc, "is empty: there is nobody to send to"
    if not isinstance(recipients, dict):
        return
    given = [key for key in ORIGINS if recipients.get(key) is not None]
    if not given:
        yield loc, "needs a `path`, or `rows` written here (or `sql`, `http` or `command`)"
    if len(given) > 1:
        yield loc, f"`{given[0]}` and `{given[1]}` both say where they are: it is one or the other"
    if recipients.get("rows") == []:
        yield (*loc, "rows"), "is empty: there is nobody to send to"
    if len(given) == 1:
        for key, origins in _ONLY_FOR.items():
            if recipients.get(key) is not None and given[0] not in origins:
                yield (*loc, key), f"is for {_either(origins)}, and this is `{given[0]}`"
    if "sql" in given and recipients.get("url") is None:
        yield (*loc, "sql"), "needs the database's `url` beside it, such as ${DB_URL}"


def _either(keys: tuple[str, ...]) -> str:
    return " or ".join(f"`{key}`" for key in keys)
