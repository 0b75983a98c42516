"""The JSON Schemas and the reference, both made from the models."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkmail.campaign.models.campaign import CampaignModel, ProjectModel
from bulkmail.campaign.models.gateway import GatewayModel
from bulkmail.campaign.models.sms import SmsModel
from bulkmail.campaign.reference import campaign_reference
from bulkmail.campaign.schema import campaign_schema, project_schema

SCHEMAS = pytest.mark.parametrize(
    "schema", [campaign_schema(), project_schema()], ids=["campaign", "project"]
)
REFERENCE = Path(__file__).parents[2] / "docs" / "campaign.md"


def objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    yield from schema.get("$defs", {}).values()


def patterns_in(schema: dict[str, Any]) -> Iterator[str]:
    if "pattern" in schema:
        yield schema["pattern"]
    for form in schema.get("anyOf", []):
        yield from patterns_in(form)


@SCHEMAS
def test_a_schema_is_one_object_of_the_2020_12_draft(schema: dict[str, Any]) -> None:
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["type"] == "object"


@SCHEMAS
def test_every_key_is_described_and_no_other_is_taken(schema: dict[str, Any]) -> None:
    for described in objects(schema):
        assert described["additionalProperties"] is False
        for key, value in described["properties"].items():
            assert value.get("description"), key


@SCHEMAS
def test_every_reference_leads_somewhere(schema: dict[str, Any]) -> None:
    for name in re.findall(r'"#/\$defs/(\w+)"', json.dumps(schema)):
        assert name in schema["$defs"]


def test_the_short_forms_are_in_the_schema() -> None:
    keys = campaign_schema()["properties"]

    assert {"type": "string"} in keys["recipients"]["anyOf"]
    assert {"type": "string"} in keys["attachments"]["items"]["anyOf"]
    assert {"type": "string"} in keys["servers"]["anyOf"]


@pytest.mark.parametrize(
    ("key", "taken", "refused"),
    [
        ("timeout", ["500ms", "30s", "1.5h", "12"], ["soon", "-1s"]),
        ("rate", ["10/s", "300 / min"], ["10", "10/week"]),
        ("port", ["${SMTP_PORT}", "587"], ["smtp"]),
    ],
)
def test_the_schema_takes_the_text_that_the_loader_takes(
    key: str, taken: list[str], refused: list[str]
) -> None:
    server = project_schema()["$defs"]["ServerModel"]["properties"][key]
    patterns = list(patterns_in(server))

    for text, is_taken in [(text, True) for text in taken] + [(text, False) for text in refused]:
        assert any(re.search(pattern, text) for pattern in patterns) is is_taken, text


def test_each_channel_has_its_own_keys_in_the_schema() -> None:
    schema = campaign_schema()

    assert schema["if"]["properties"]["channel"] == {"const": "sms"}
    for key in ("from", "subject", "html", "servers"):
        assert schema["then"]["properties"][key] is False
    for key in ("content", "gateway", "max_segments"):
        assert key in schema["properties"]
        assert schema["else"]["properties"][key] is False
    assert set(schema["else"]["required"]) == {"subject", "recipients"}
    assert {"required": ["html"]} in schema["else"]["anyOf"]


@pytest.mark.parametrize("key", ["cc", "bcc", "suppress", "allow_paths", "attachments"])
def test_a_list_without_anything_in_it_is_taken_as_the_loader_takes_it(key: str) -> None:
    described = campaign_schema()["properties"][key]

    (listed,) = [form for form in described.get("anyOf", [described]) if form["type"] == "array"]
    assert listed.get("minItems", 0) == 0


def test_every_key_is_in_the_reference() -> None:
    page = campaign_reference()

    for model in (CampaignModel, ProjectModel, SmsModel, GatewayModel):
        for key in model.key_names():
            assert f"| `{key}` |" in page


def test_the_page_in_docs_is_the_reference() -> None:
    fresh = REFERENCE.read_text("utf-8") == campaign_reference()

    assert fresh, "stale: python -m bulkmail.campaign.reference > docs/campaign.md"
