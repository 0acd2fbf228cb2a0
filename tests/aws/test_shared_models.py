"""The models of botocore, which all clients of the process share."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from botocore.loaders import JSONFileLoader
from botocore.session import Session

from exporter.aws.shared_models import share_models
from tests.support.simulated_target import ROLE, SimulatedTarget

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def record_reads(monkeypatch: pytest.MonkeyPatch, pause: float = 0.0) -> list[str]:
    """Return a list that gets the path of each model file that is read, after a pause in seconds."""
    read, load_file = [], JSONFileLoader.load_file

    def load_and_record(loader: JSONFileLoader, path: str) -> Any:
        content = load_file(loader, path)
        if content is not None:
            read.append(path)
            threading.Event().wait(pause)
        return content

    monkeypatch.setattr(JSONFileLoader, "load_file", load_and_record)
    return read


def test_a_further_target_reads_no_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 200 targets, clients that read their own would take a minute of CPU time and gigabytes of memory."""
    first, second = (SimulatedTarget(role_arn=ROLE) for _ in range(2))
    with first.service, second.service:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", first.service.url)
        first.read_jobs()
        read = record_reads(monkeypatch)
        second.read_jobs()
    assert read == []


def test_models_in_a_configured_directory_are_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value of AWS_DATA_PATH has models of its own."""
    (tmp_path / "partitions.json").write_text('{"of": "the operator"}')
    share_models(before := Session())
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))
    share_models(after := Session())
    assert after.get_data("partitions") == {"of": "the operator"}
    assert before.get_data("partitions") != after.get_data("partitions")


def test_threads_that_need_a_model_together_read_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start creates the clients of all targets at once."""
    monkeypatch.setenv("AWS_DATA_PATH", str(tmp_path))  # so that no model was read before
    read, barrier = record_reads(monkeypatch, pause=0.05), threading.Barrier(8)

    def load() -> None:
        share_models(session := Session())
        barrier.wait()
        session.get_service_model("qbusiness")

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == len(set(read)) > 0
