"""The JSON Schemas of a campaign's file and of bulkmail.yaml (draft 2020-12), for editors.

Made from the models; they take what the loader takes (durations, rates, references to the
environment), but for rules between keys.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from bulkmail.campaign.models.campaign import CampaignModel, ProjectModel
from bulkmail.campaign.models.sms import OF_MAIL, OF_SMS, SmsModel
from bulkmail.campaign.models.strict import StrictModel


def campaign_schema() -> dict[str, Any]:
    """Of a file in campaigns/: what mail and text messages have, and what goes with which."""
    schema = _schema(CampaignModel, "A bulkmail campaign")
    sms = SmsModel.model_json_schema(by_alias=True, mode="validation")
    of_sms = {key: sms["properties"][key] for key in SmsModel.key_names() if key in OF_SMS}
    # `from` may come from bulkmail.yaml's `defaults`.
    needed = [key for key in schema["required"] if key != "from"]
    texts = [{"required": [key]} for key in ("text", "html", "body")]
    return schema | {
        "properties": schema["properties"] | of_sms,
        "$defs": sms["$defs"] | schema["$defs"],
        "required": ["recipients"],
        "if": {"properties": {"channel": {"const": "sms"}}, "required": ["channel"]},
        "then": {"properties": dict.fromkeys(sorted(OF_MAIL), False)},
        "else": {
            "properties": dict.fromkeys(sorted(OF_SMS), False),
            "required": needed,
            "anyOf": texts,
        },
    }


def project_schema() -> dict[str, Any]:
    """Of bulkmail.yaml."""
    return _schema(ProjectModel, "bulkmail.yaml, the shared file of a mail project")


def _schema(model: type[StrictModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema | {"title": title}
