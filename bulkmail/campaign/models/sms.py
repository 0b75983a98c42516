"""A campaign of text messages: `channel: sms`. What mail alone has is not allowed in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from bulkmail.campaign.document import Loc
from bulkmail.campaign.models.campaign import CampaignModel, ProjectModel, Recipients
from bulkmail.campaign.models.gateway import Gateway, GatewayModel, GatewayReference
from bulkmail.campaign.models.limit import StopAfter, StopModel
from bulkmail.campaign.models.notification import Notifications
from bulkmail.campaign.models.retry import RetryModel
from bulkmail.campaign.models.schedule import ScheduleModel
from bulkmail.campaign.models.strict import StrictModel
from bulkmail.campaign.phone import DEFAULT_REGION, known_region
from bulkmail.campaign.values import Count, FileTexts, FilledLine, Flag, Text

Region = Annotated[FilledLine, AfterValidator(known_region)]


class SmsModel(StrictModel):
    """One campaign of text messages."""

    channel: Literal["sms"] = Field(description="What makes it text messages.")
    name: FilledLine | None = Field(
        None,
        description="The campaign's identity in the ledger. Default: the file's name, without "
        "its suffix.",
    )
    text: FilledLine | None = Field(
        None, description="The template of the message. Either it or `content` is needed."
    )
    content: Text | None = Field(
        None, description="The message itself, right here, a template: `Your code is {{ code }}.`"
    )
    recipients: Recipients = Field(
        description="A file, a list of mappings, or the long form below, with a number in each row."
    )
    mobile: FilledLine | None = Field(
        None,
        description="The column that holds the number. Default: one that is called mobile, phone, "
        "手机, 手机号 or 电话, in any case.",
    )
    default_region: Region = Field(
        DEFAULT_REGION,
        description="Where numbers without a country code are from: two letters, as in ISO 3166.",
    )
    gateway: Gateway | None = Field(
        None,
        description="The name of one of bulkmail.yaml's `gateways`, or a mapping as below. "
        "Default: bulkmail.yaml's, where there is only one.",
    )
    max_segments: Count | None = Field(
        None,
        description="The most segments a message may have; a row whose text is longer is a bad "
        "row. Default: no limit but the gateway's.",
    )
    skip_if: FilledLine | None = Field(
        None, description="An expression: rows for which it holds get nothing."
    )
    language: FilledLine | None = Field(
        None,
        description="The column that holds the recipient's language: it picks `code.zh.txt.j2` "
        "over `code.txt.j2`. Default: `language`, where there is one.",
    )
    suppress: FileTexts = Field(
        (),
        description="Files of numbers that get nothing: one a line with # comments, or a CSV with "
        "a column of numbers. Beside the ledger's own list (`bulkmail suppress`).",
    )
    on_doubt: Literal["resend", "hold"] = Field(
        "hold",
        description="When a request was sent and no answer came: `hold` the row for a person, or "
        "send again once.",
    )
    retry: RetryModel = Field(
        default_factory=RetryModel.without_keys,
        description="When deferred recipients are tried again.",
    )
    on_finish: Notifications = Field(
        (),
        description="Who is told when a run has come to its end: `https://…` or a mapping with a "
        "`webhook`, or a list of them.",
    )
    on_failure: Notifications = Field(
        (),
        description="Who is told when a run ended with recipients who failed or are in doubt, or "
        "stopped early.",
    )
    only_new: Flag = Field(
        default=False,
        description="Whether an occurrence of `every` leaves out whose key an earlier one, or a "
        "plain `send`, holds in any state but `failed` or `suppressed`.",
    )
    stop_after: StopAfter = Field(
        default_factory=StopModel.without_keys,
        description="When to leave a gateway that refuses message after message for good.",
    )
    schedule: ScheduleModel = Field(
        default_factory=ScheduleModel.without_keys,
        description="When it is due, and the hours it may go out in.",
    )
    allow_paths: FileTexts = Field(
        (),
        description="Folders outside the project's root from which files may be taken. Relative "
        "ones begin at this file or at the root, as those of files do.",
    )


def is_sms(written: Mapping[str, Any]) -> bool:
    """Whether what is written is a campaign of text messages."""
    return written.get("channel") == "sms"


#: Keys of a campaign that mail and text messages have each alone.
OF_MAIL = frozenset(CampaignModel.key_names()) - set(SmsModel.key_names())
OF_SMS = frozenset(SmsModel.key_names()) - set(CampaignModel.key_names())


def defaults_for_sms(defaults: Any) -> Any:
    """What campaigns of text messages take of bulkmail.yaml's defaults.

    Who is told by mail is told of mail alone: a gateway sends none.
    """
    if not isinstance(defaults, dict):
        return defaults
    taken = {key: value for key, value in defaults.items() if key in SmsModel.key_names()}
    for key in _TOLD & taken.keys():
        listed = taken[key] if isinstance(taken[key], list) else [taken[key]]
        taken[key] = [entry for entry in listed if not _is_mail(entry)]
    return taken


_TOLD = {"on_finish", "on_failure"}


def _is_mail(entry: Any) -> bool:
    if isinstance(entry, str):
        return "://" not in entry
    return isinstance(entry, dict) and entry.get("webhook") is None


def foreign_keys(written: Mapping[str, Any]) -> dict[str, str]:
    """Keys that belong to the other channel, with the sentence for each."""
    if is_sms(written):
        return {
            key: "is for mail: a text message (`channel: sms`) has none"
            for key in written
            if key in OF_MAIL
        }
    return {
        key: "is for text messages: it needs `channel: sms`" for key in written if key in OF_SMS
    }


def chosen_gateway(sms: SmsModel, project: ProjectModel) -> tuple[GatewayModel | None, Loc]:
    """The campaign's gateway, and where it is written; None: it is not said, or not there."""
    match sms.gateway:
        case GatewayModel():
            return sms.gateway, ("gateway",)
        case GatewayReference(gateway=name):
            return project.gateways.get(name), ("gateways", name)
    if len(project.gateways) == 1:
        ((name, model),) = project.gateways.items()
        return model, ("gateways", name)
    return None, ("gateway",)


def shared_with_mail(sms: SmsModel) -> CampaignModel:
    """What the machinery of both channels asks of a campaign; all that is mail's alone is empty."""
    same = {key: getattr(sms, key) for key in SmsModel.model_fields if key not in OF_SMS}
    return CampaignModel.model_construct(**same | {"from_": "", "subject": ""})
