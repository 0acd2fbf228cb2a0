"""The base of all sections of a configuration file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A section of a configuration file: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    foreign_keys: ClassVar[Mapping[str, str]] = {}
    """Advice about keys that the section has only for other services, by key."""

    @model_validator(mode="before")
    @classmethod
    def _drop_empty_keys(cls, data: object) -> object:
        """Treat a key without a value as an absent key. An unknown one stays, so that it is reported."""
        if isinstance(data, dict):
            known = {declared.alias or name for name, declared in cls.model_fields.items()}
            return {key: value for key, value in data.items() if value is not None or key not in known}
        return {} if data is None else data
