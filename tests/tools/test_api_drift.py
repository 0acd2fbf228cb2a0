"""The comparison of API models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tools import api_drift

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.domain.service import Service


@pytest.mark.parametrize("service", api_drift.services(), ids=repr)
def test_the_installed_models_are_those_that_the_exporter_was_built_against(service: Service) -> None:
    """The constraints file pins botocore, so that a difference means that the models were not rewritten."""
    assert api_drift.differences(service) == []


def test_a_new_status_is_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file lacks a status that the installed model has."""
    (service, *_) = api_drift.services()
    known = api_drift.path_of(service).read_text()
    assert '"STOPPING",' in known
    monkeypatch.setattr(api_drift, "MODELS", tmp_path)
    api_drift.path_of(service).write_text(known.replace('"STOPPING",', ""))
    added = [line for line in api_drift.differences(service) if line.startswith("+") and "STOPPING" in line]
    assert added != []
