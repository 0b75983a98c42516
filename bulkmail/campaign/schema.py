"""The JSON Schemas of a campaign's file and of bulkmail.yaml (draft 2020-12), for editors.

Made from the models; they take what the loader takes (durations, rates, references to the
environment), but for rules between keys.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from bulkmail.campaign.model import CampaignModel, ProjectModel
from bulkmail.campaign.strict_model import StrictModel


def campaign_schema() -> dict[str, Any]:
    """Of a file in campaigns/."""
    return _schema(CampaignModel, "A bulkmail campaign")


def project_schema() -> dict[str, Any]:
    """Of bulkmail.yaml."""
    return _schema(ProjectModel, "bulkmail.yaml, the shared file of a mail project")


def _schema(model: type[StrictModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return {"$schema": GenerateJsonSchema.schema_dialect} | schema | {"title": title}
