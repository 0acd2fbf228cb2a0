"""The start of the program, as `qbusiness-exporter` and as `python -m exporter`."""

import gc
import signal


def run() -> None:
    """Run the command line."""
    # SIGHUP is blocked first, because it ends a process that does not handle it, and the imports take longer than
    # anything else at the start. The kernel keeps the signal until `serve` handles it, or until another command lets it
    # end the process.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    # Modules are never freed. Garbage collections during the imports would find nothing, and take a fifth of the time.
    gc.disable()
    from exporter.cli import run as run_command  # noqa: PLC0415 (see above)

    run_command()


if __name__ == "__main__":
    run()
