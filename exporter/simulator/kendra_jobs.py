"""Sync jobs in the form of Amazon Kendra: the members of Amazon Q Business with capital letters, without `error`."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
_OF_ERROR = ("errorCode", "errorMessage")


def to_kendra(job: Json) -> Json:
    """Return a job of Q Business in the form of Kendra."""
    error = job.get("error")
    flat = {name: value for name, value in job.items() if name != "error"} | (error if isinstance(error, dict) else {})
    return {_capital(name): _with_names(value, _capital) for name, value in flat.items()}


def from_kendra(job: Json) -> Json:
    """Return a job of Kendra in the form of Q Business."""
    flat = {_small(name): _with_names(value, _small) for name, value in job.items()}
    error = {name: flat.pop(name) for name in _OF_ERROR if name in flat}
    return {**flat, "error": error}


def _with_names(value: Any, change: Any) -> Any:  # noqa: ANN401 (JSON)
    return {change(name): each for name, each in value.items()} if isinstance(value, dict) else value


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]


def _small(name: str) -> str:
    return name[0].lower() + name[1:]
