"""The base of the models: what is read by a part of a model is what the whole one would read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bulkmail.campaign.models.campaign import CampaignModel, ProjectModel
from bulkmail.campaign.models.sms import SmsModel
from bulkmail.campaign.models.strict import StrictModel

LETTER: dict[str, Any] = {
    "from": "People <people@example.com>",
    "subject": "For {{ name }}",
    "text": "letter.txt.j2",
    "recipients": "list.csv",
}


def models(base: type[StrictModel] = StrictModel) -> list[type[StrictModel]]:
    """All models there are of ours, but for parts that reading made of them."""
    own = [kind for kind in base.__subclasses__() if kind.__module__ != StrictModel.__module__]
    return [*own, *(deeper for kind in own for deeper in models(kind))]


def is_needed_nothing(kind: type[StrictModel]) -> bool:
    return not any(field.is_required() for field in kind.model_fields.values())


@pytest.mark.parametrize(
    "kind", [kind for kind in models() if is_needed_nothing(kind)], ids=lambda kind: kind.__name__
)
def test_a_model_without_keys_is_what_an_empty_mapping_makes(kind: type[StrictModel]) -> None:
    try:
        read = kind.model_validate({})
    except ValidationError:
        return  # A rule of its own asks for one of its keys: nobody has it without.

    assert kind.without_keys() == read
    assert kind.without_keys().model_fields_set == set()


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (CampaignModel, LETTER),
        (CampaignModel, {**LETTER, "cc": ["boss@example.com"], "text": None, "body": "a.md"}),
        (CampaignModel, {**LETTER, "retry": {"backoff": "1m"}, "schedule": {"at": "2027-01-01"}}),
        (CampaignModel, {**LETTER, "attachments": ["a.pdf", {"pdf": "b.typ"}], "stop_after": 25}),
        (ProjectModel, {}),
        (ProjectModel, {"servers": {"mx": {"host": "mail.example.com"}}, "ledger": None}),
        (ProjectModel, {"defaults": {"from": "people@example.com", "limits": None}}),
        (SmsModel, {"channel": "sms", "text": "Hi", "recipients": [{"to": "+4799999999"}]}),
    ],
)
def test_what_is_read_is_what_the_whole_model_makes_of_it(
    kind: type[StrictModel], written: dict[str, Any]
) -> None:
    assert _ended(kind.read, written) == _ended(kind.model_validate, written)


@pytest.mark.parametrize(
    "written",
    [
        {},
        {**LETTER, "form": "a@example.com"},
        {**LETTER, "form": None},
        {**LETTER, "cc": "two\nlines", "attachments": [{"pth": "a.pdf"}], "from_": "x@example.com"},
        {**LETTER, "recipients": {"path": "a.csv", "colour": "red"}, "subject": 1},
    ],
)
def test_what_is_wrong_is_wrong_in_the_same_words(written: dict[str, Any]) -> None:
    ended = _ended(CampaignModel.read, written)

    assert ended == _ended(CampaignModel.model_validate, written)
    assert isinstance(ended, list)


def _ended(read: Any, written: dict[str, Any]) -> Any:
    """The model and the keys it was given; or what is wrong, as pydantic has it."""
    try:
        model = read(written)
    except ValidationError as error:
        return error.errors(include_url=False, include_context=False)
    return model, model.model_fields_set, type(model)
