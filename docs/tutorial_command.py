"""Generate the command of docs/tutorial.md that prints the rules of all services of the demo."""

from __future__ import annotations

from pathlib import Path

from docs.generated_part import with_generated_part
from exporter.providers.registry import SERVICES

PAGE = Path(__file__).parent / "tutorial.md"


def tutorial_page() -> str:
    """Return the text of docs/tutorial.md with its generated command replaced."""
    flags = " ".join(f"--service {name}" for name in SERVICES)
    rules = f"$ qbusiness-exporter rules {flags} > rules.yaml"
    return with_generated_part(
        PAGE, ("```console", "$ . .venv/bin/activate", rules, "$ promtool check rules rules.yaml", "```")
    )
