"""The receiver of signals: none is lost, whenever and in whichever thread it arrives."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from exporter.cli.signals import SignalReceiver

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def signals() -> Iterator[SignalReceiver]:
    """Return a receiver of two signals, which have their previous handlers after the test."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGUSR1)}
    yield SignalReceiver(*handlers)
    signal.set_wakeup_fd(-1)
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_signals_before_the_wait_are_received_in_order(signals: SignalReceiver) -> None:
    """They arrive while the program starts or reloads."""
    for number in (signal.SIGHUP, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    assert [signals.wait(), signals.wait()] == [signal.SIGHUP, signal.SIGUSR1]


def test_a_signal_that_another_thread_gets_ends_the_wait(signals: SignalReceiver) -> None:
    """The kernel chooses any thread of the process. A handler in Python would not run while the main thread waits."""
    main_waits, done = threading.Event(), threading.Event()

    def receive() -> None:
        main_waits.wait()
        signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
        done.wait()

    thread = threading.Thread(target=receive)
    thread.start()
    main_waits.set()
    received = signals.wait()
    done.set()
    thread.join()
    assert received == signal.SIGHUP
