"""What may stand in a campaign's file and in bulkmail.yaml: keys, kinds, defaults.

The contract's section 2, as pydantic models: attribute names are the YAML keys (`from` is `from_`).
Every field is described here once; the JSON Schema and the reference in docs/ are made from it.
Rules that need more than one key are in rules.py.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from bulkmail.campaign.header_name import checked_header_name, checked_headers
from bulkmail.campaign.models.attachment import Attachment, path_alone
from bulkmail.campaign.models.dkim import DkimKeys, DkimModel
from bulkmail.campaign.models.gateway import GatewayModel
from bulkmail.campaign.models.limit import Limits, StopAfter, StopModel
from bulkmail.campaign.models.notification import Notifications
from bulkmail.campaign.models.recipients import RecipientsModel
from bulkmail.campaign.models.retry import RetryModel
from bulkmail.campaign.models.schedule import ScheduleModel
from bulkmail.campaign.models.server import ServerModel, Servers
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.models.unsubscribe import UnsubscribeModel
from bulkmail.campaign.values import (
    ContentId,
    FileTexts,
    FilledLine,
    Flag,
    LineText,
    MailboxText,
    MailboxTexts,
    ReversePathText,
    Text,
)


def _whole_number_as_text(value: Any) -> Any:
    """`X-Priority: 1` is what it looks like."""
    return str(value) if type(value) is int else value


HeaderText = Annotated[
    LineText, BeforeValidator(_whole_number_as_text, json_schema_input_type=str | int)
]
HeaderTexts = Annotated[
    dict[Annotated[Text, AfterValidator(checked_header_name)], HeaderText],
    AfterValidator(checked_headers),
]


def _recipients(value: Any) -> Any:
    if isinstance(value, list):
        return {"rows": value}
    return path_alone(value)


Recipients = Annotated[
    RecipientsModel,
    BeforeValidator(
        _recipients, json_schema_input_type=str | list[dict[str, Any]] | RecipientsModel
    ),
]


class DefaultsModel(StrictModel):
    """Keys that campaigns share; a campaign's own come first."""

    from_: MailboxText | None = Field(
        None,
        alias="from",
        description="Whom the message is from: an address, or `Name <address>`; a template.",
    )
    reply_to: MailboxText | None = Field(None, description="Where answers go; a template.")
    return_path: ReversePathText | None = Field(
        None,
        description="The envelope's sender, to which bounces go. Default: the address of `from`; "
        '`""` or `"<>"` is the null one.',
    )
    cc: MailboxTexts = Field((), description="Addresses or templates for all rows.")
    bcc: MailboxTexts = Field((), description="The same, and in no header.")
    headers: HeaderTexts = Field(
        default_factory=dict, description="Further header fields; the values are templates."
    )
    suppress: FileTexts = Field(
        (),
        description="Files of addresses that get nothing: one a line with # comments, or a CSV "
        "with an email column. Beside the ledger's own list (`bulkmail suppress`).",
    )
    on_doubt: Literal["resend", "hold"] = Field(
        "resend",
        description="When the connection was lost before the answer to a whole message: send "
        "again once with the same Message-ID, or `hold` the row for a person.",
    )
    servers: Servers | None = Field(
        None,
        description="Names of bulkmail.yaml's servers or servers right here, in order of "
        "preference; or a mapping of names to servers. Default: all of bulkmail.yaml's.",
    )
    retry: RetryModel = Field(
        default_factory=RetryModel.without_keys,
        description="When deferred recipients are tried again.",
    )
    on_finish: Notifications = Field(
        (),
        description="Who is told when a run has come to its end: an address, `https://…`, a "
        "mapping as below, or a list of them.",
    )
    on_failure: Notifications = Field(
        (),
        description="Who is told when a run ended with recipients who failed or are in doubt, or "
        "stopped early because no server would work.",
    )
    stop_after: StopAfter = Field(
        default_factory=StopModel.without_keys,
        description="When to leave a server that refuses message after message for good: it is "
        "the content, or the account, and the rest of the list stays pending. A recipient who is "
        "refused does not count. `25` in a row, `50%` of the last 100, both as below, or `never`.",
    )
    allow_paths: FileTexts = Field(
        (),
        description="Folders outside the project's root from which files may be taken. Relative "
        "ones begin at this file or at the root, as those of files do.",
    )


class CampaignModel(DefaultsModel):
    """One campaign."""

    channel: Literal["mail", "sms"] = Field(
        "mail", description="`sms` makes it text messages, whose keys are those below."
    )
    name: FilledLine | None = Field(
        None,
        description="The campaign's identity in the ledger. Default: the file's name, without "
        "its suffix.",
    )
    from_: MailboxText = Field(
        alias="from",
        description="Whom the message is from: an address, or `Name <address>`; a template.",
    )
    to: MailboxText | None = Field(
        None,
        description="The To header, a template. Default: `{{ name }} <{{ email }}>` when a row "
        "has a name, else its address.",
    )
    subject: LineText = Field(description="The subject, a template.")
    text: FilledLine | None = Field(
        None,
        description="The template of the text part. Either it or `html` is needed; without it "
        "a text part is made from the HTML.",
    )
    html: FilledLine | None = Field(None, description="The template of the HTML part.")
    body: FilledLine | None = Field(
        None,
        description="A template in Markdown instead of `html`: the HTML part is made of it, and "
        "the text part unless there is `text`. Needs the extra `html`.",
    )
    css: FilledLine | None = Field(
        None,
        description="`inline`: style sheets in `<style>` become style attributes, media queries "
        "stay. Or the file of a style sheet, beside the templates, for the same. Needs the extra "
        "`html`.",
    )
    skip_if: FilledLine | None = Field(
        None,
        description="An expression such as `status == 'left'`: rows for which it holds get "
        "nothing. Judged anew in each run, and once more when the message is made.",
    )
    recipients: Recipients = Field(
        description="A file, a list of mappings, or the long form below."
    )
    attachments: tuple[Attachment, ...] = Field(
        (), description="Files that go with the message: paths, or mappings as below."
    )
    language: FilledLine | None = Field(
        None,
        description="The column that holds the recipient's language: it picks `offer.zh.html.j2` "
        "over `offer.html.j2`. Default: `language`, where there is one.",
    )
    inline: dict[ContentId, FilledLine] = Field(
        default_factory=dict,
        description='Images in the HTML: `logo: images/logo.png` is `<img src="cid:logo">`.',
    )
    kind: Literal["marketing", "transactional"] | None = Field(
        None,
        description="`marketing` is refused without `unsubscribe`; `transactional` (an offer "
        "letter, an activation) leaves bulkmail.yaml's `unsubscribe` out.",
    )
    unsubscribe: UnsubscribeModel | None = Field(
        None,
        description="How a reader leaves: List-Unsubscribe, with one click, and `unsubscribe_url` "
        "in templates. Put together, key by key, with bulkmail.yaml's.",
    )
    dkim: DkimKeys = Field(
        (),
        description="The key that messages are signed with, or a list: each signs. "
        "Default: bulkmail.yaml's; `[]` signs with none.",
    )
    limits: Limits = Field(
        default_factory=dict,
        description="Limits by recipient domain, over all servers: `gmail: 5/s`. They come before "
        "those of bulkmail.yaml.",
    )
    only_new: Flag = Field(
        default=False,
        description="Whether an occurrence of `every` leaves out whose key an earlier one, or a "
        "plain `send`, holds in any state but `failed` or `suppressed`: whoever signed up since.",
    )
    schedule: ScheduleModel = Field(
        default_factory=ScheduleModel.without_keys,
        description="When it is due, and the hours it may go out in.",
    )

    @property
    def dkim_keys(self) -> tuple[DkimModel, ...]:
        """All keys that sign."""
        return (self.dkim,) if isinstance(self.dkim, DkimModel) else self.dkim


class LedgerModel(StrictModel):
    """Where and how the ledger is kept."""

    durability: Literal["power", "process"] = Field(
        "power",
        description="What a result survives: a power cut, or (faster) the end of the process.",
    )
    keep_fields: Literal["until_sent", "always"] = Field(
        "until_sent",
        description="How long a row's columns are kept: until it is sent or cancelled, or "
        "`always` (until `bulkmail purge`).",
    )
    path: FilledLine | None = Field(
        None, description="Its file, relative to bulkmail.yaml. Default: `.bulkmail/ledger.db`."
    )


class ProjectModel(StrictModel):
    """bulkmail.yaml: what the campaigns of a project share."""

    servers: dict[FilledLine, ServerModel] = Field(
        default_factory=dict, description="Servers by name."
    )
    gateways: dict[FilledLine, GatewayModel] = Field(
        default_factory=dict, description="Gateways for text messages, by name."
    )
    limits: Limits = Field(
        default_factory=dict,
        description="Limits by recipient domain, for all campaigns and over all servers.",
    )
    ledger: LedgerModel = Field(default_factory=LedgerModel.without_keys, description="The ledger.")
    unsubscribe: UnsubscribeModel | None = Field(
        None, description="How readers leave, for all campaigns but the transactional ones."
    )
    dkim: DkimKeys = Field(
        (), description="The key that messages are signed with, or a list, for all campaigns."
    )
    defaults: DefaultsModel = Field(
        default_factory=DefaultsModel.without_keys, description="Campaign keys for all campaigns."
    )
