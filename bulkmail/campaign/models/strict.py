"""The base of the models: no key is ignored, nothing is echoed, nothing changes once it is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, create_model, model_validator


class StrictModel(BaseModel):
    """Unknown keys are errors. A known key without a value is as if it were not written."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        arbitrary_types_allowed=True,
        populate_by_name=False,
        # Built when a file is read: whoever needs only the settings does not wait for it.
        defer_build=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        known = set(cls.key_names())
        return {key: part for key, part in value.items() if part is not None or key not in known}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Self:
        """The model of a mapping, as `model_validate` makes it; raises `ValidationError` like it.

        A validator is built of the keys that are written or needed alone: one of all that may
        stand in a campaign takes several times as long as to read it.
        """
        names = [
            name
            for name, field in cls.model_fields.items()
            if field.is_required() or (field.alias or name) in written
        ]
        part = _part(cls, tuple(names)).model_validate(written)
        values = {name: getattr(part, name) for name in part.model_fields_set}
        return super().model_construct(**values)

    @classmethod
    def without_keys(cls) -> Self:
        """As if a mapping without a key were read; but no validator has to be built for it."""
        return super().model_construct()

    @classmethod
    def key_names(cls) -> list[str]:
        """The keys as they are written in YAML, in order."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def models_at(cls, loc: tuple[str | int, ...]) -> set[type[StrictModel]]:
        """The models of which one describes the mapping at `loc` in a document of this model."""
        models: set[type[StrictModel]] = {cls}
        for part in loc:
            deeper = {model for outer in models for model in outer.models_of(part)}
            models = deeper or models
        return models

    @classmethod
    def models_of(cls, key: str | int) -> set[type[StrictModel]]:
        """The models in the value of one key; none where it has no model."""
        for name, field in cls.model_fields.items():
            if (field.alias or name) == key:
                return _models_in(field.annotation)
        return set()

    @classmethod
    def places_of(cls, key: str) -> list[str]:
        """The keys under which `key` may stand, at whatever depth; the top of the file is ""."""
        top = [""] if key in cls.key_names() else []
        return top + [
            outer
            for outer in cls.key_names()
            if any(model.places_of(key) for model in cls.models_of(outer))
        ]


@cache
def _part(model: type[StrictModel], names: tuple[str, ...]) -> type[StrictModel]:
    """A model of these fields alone."""
    fields: dict[str, Any] = {
        name: (model.model_fields[name].annotation, model.model_fields[name]) for name in names
    }
    return create_model(model.__name__, __base__=StrictModel, **fields)


def _models_in(annotation: Any) -> set[type[StrictModel]]:
    """All models a type is made of."""
    if isinstance(annotation, type) and issubclass(annotation, StrictModel):
        return {annotation}
    return {model for part in get_args(annotation) for model in _models_in(part)}
