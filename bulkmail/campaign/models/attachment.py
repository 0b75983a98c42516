"""A file that goes with a message, and an invitation, as they are written."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.values import (
    FilledLine,
    Flag,
    LineText,
    MailboxText,
    MimeType,
    PositiveDuration,
    Text,
    TimeZone,
)


class InvitationModel(StrictModel):
    """An event that the recipient is invited to."""

    start: FilledLine = Field(
        description="When it begins, a template: `2026-12-01T09:00`, or `2026-12-01` for whole "
        "days."
    )
    end: FilledLine | None = Field(
        None, description="When it ends, a template; of whole days the last one."
    )
    duration: PositiveDuration | None = Field(
        None, description="How long it takes, instead of `end`. Default: an hour, or a day."
    )
    timezone: TimeZone | None = Field(
        None, description="IANA time zone of `start` and `end`. Default: the campaign's."
    )
    summary: LineText | None = Field(
        None, description="Its title, a template. Default: the subject."
    )
    location: LineText | None = Field(None, description="Where it is, a template.")
    description: Text | None = Field(None, description="What it is about, a template.")
    url: LineText | None = Field(None, description="A link, a template.")
    organizer: MailboxText | None = Field(
        None, description="To whom answers go, a template. Default: `from`."
    )


class AttachmentModel(StrictModel):
    """A file that goes with the message, or is made for it."""

    path: FilledLine | None = Field(
        None,
        description="The file. A template: `letters/{{ employee_id }}.pdf` is one per recipient; "
        "`letters/{{ employee_id }}*.pdf` is the one file that matches.",
    )
    pdf: FilledLine | None = Field(
        None,
        description="Instead of `path`: a typst template, beside the others, that a PDF is made "
        "of for each recipient. Needs the extra `pdf`.",
    )
    ics: InvitationModel | None = Field(
        None, description="Instead of `path`: an invitation, as below."
    )
    filename: FilledLine | None = Field(
        None, description="The name it is shown under, a template. Default: the file's own."
    )
    type: MimeType | None = Field(
        None, description="Its media type, parameters allowed. Default: guessed from the name."
    )
    unique: Flag = Field(
        default=True,
        description="Whether two recipients never get the same file, where the path is a template.",
    )
    must_contain: FilledLine | None = Field(
        None,
        description="What the file's own name has to contain, a template: `{{ name }}`. In any "
        "case. The text of a PDF has to contain it as well (extra `pdf`).",
    )


def path_alone(value: Any) -> Any:
    """Take a file's name for the mapping that holds no more."""
    return {"path": value} if isinstance(value, str) else value


Attachment = Annotated[
    AttachmentModel,
    BeforeValidator(path_alone, json_schema_input_type=str | AttachmentModel),
]
