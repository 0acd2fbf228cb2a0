"""Fuzzes one target: `python fuzz.py TARGET CORPUS [libFuzzer's options]`. Exits with 0 if no input failed."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris  # type: ignore[import-untyped] # installed in the environment of this suite only
import structlog

with atheris.instrument_imports(include=["exporter", "yaml", "aws_croniter", "h11"]):
    from tests.suites.fuzz.targets import TARGETS


def main() -> None:
    """Write the target's seeds into the corpus and run the fuzzer."""
    name, corpus, *options = sys.argv[1:]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    target = TARGETS[name]()
    Path(corpus).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    atheris.Setup([sys.argv[0], corpus, *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
