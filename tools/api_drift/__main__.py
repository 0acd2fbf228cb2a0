"""Prints the changes of the APIs since the exporter was built, and exits with 1 if there are any.

With --rewrite, the installed models become those that the exporter was built against.
"""

from __future__ import annotations

import sys

from tools.api_drift import differences, path_of, render, services


def main(arguments: list[str]) -> int:
    """Compare or rewrite the models; return the exit code."""
    if arguments == ["--rewrite"]:
        for service in services():
            path_of(service).write_text(render(service))
        return 0
    changed = [line for service in services() for line in differences(service)]
    print("\n".join(changed) or "the APIs are those that the exporter was built against")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
