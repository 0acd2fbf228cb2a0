"""The start of the program, as `qbusiness-exporter` and as `python -m exporter`."""

import gc
import signal
import sys


def run() -> None:
    """Run the command line."""
    # What these signals mean depends on the command, and the imports take longer than anything else at the start. The
    # kernel keeps the signals until the command is known, and SIGHUP until `serve` handles it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP, signal.SIGTERM, signal.SIGINT})
    # Modules are never freed. Garbage collections during the imports would find nothing, and take a fifth of the time.
    gc.disable()
    # structlog imports rich where it is installed, for an output that this program does not have. It takes a tenth of
    # the time.
    sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog  # noqa: F401, PLC0415 (see above)

    del sys.modules["rich"]
    from exporter.cli import run as run_command  # noqa: PLC0415 (see above)

    run_command()


if __name__ == "__main__":
    run()
