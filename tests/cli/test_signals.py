"""Signals: none is lost in any thread, and none interrupts a block that defers them."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from exporter.cli.signals import DeferredSignals, SignalReceiver

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


def test_signals_before_the_wait_are_received_once_each_by_priority(signals: SignalReceiver) -> None:
    """They arrive while the program starts or reloads. `serve` names the signals that stop it first."""
    for number in (signal.SIGUSR1, signal.SIGUSR1, signal.SIGHUP, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    assert [signals.wait(), signals.wait()] == [signal.SIGHUP, signal.SIGUSR1]
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signals.wait() == signal.SIGUSR1


def test_a_signal_that_has_been_looked_for_is_received(signals: SignalReceiver) -> None:
    """A reload that is requested during a slow start must not be lost."""
    assert not signals.has_received(signal.SIGHUP)
    for number in (signal.SIGUSR1, signal.SIGHUP):
        os.kill(os.getpid(), number)
    assert [signals.has_received(number) for number in (signal.SIGHUP, signal.SIGTERM)] == [True, False]
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


def test_a_deferred_signal_ends_the_program_after_the_block() -> None:
    """A block that acquires locks is executed to its end. The exit code names the signal."""
    executed = []

    def receive_a_signal() -> None:
        with DeferredSignals():
            os.kill(os.getpid(), signal.SIGTERM)
            executed.append("after the signal")

    with pytest.raises(SystemExit, match=f"^{128 + signal.SIGTERM}$"):
        receive_a_signal()
    assert executed == ["after the signal"]


def test_a_deferred_signal_ends_a_pause() -> None:
    """A pause is a safe point: the rest of the block is not executed."""
    executed = []

    def receive_a_signal() -> None:
        with DeferredSignals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            signals.pause(0)
            executed.append("after the pause")

    with pytest.raises(SystemExit, match=f"^{128 + signal.SIGINT}$"):
        receive_a_signal()
    assert executed == []


def test_deferred_signals_leave_handlers_and_errors_as_they_were() -> None:
    """An error in the block is more important than the signal: it says what failed."""
    before = signal.getsignal(signal.SIGTERM)

    def fail_after_a_signal() -> None:
        with DeferredSignals():
            os.kill(os.getpid(), signal.SIGTERM)
            raise ValueError("no such region")

    with pytest.raises(ValueError, match="no such region"):
        fail_after_a_signal()
    assert signal.getsignal(signal.SIGTERM) == before


def test_an_ignored_signal_stays_ignored() -> None:
    """A shell ignores SIGINT in its background jobs, so that Ctrl-C ends only what is in the foreground."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with DeferredSignals() as signals:
            os.kill(os.getpid(), signal.SIGINT)
            signals.pause(0)
            handler = signal.getsignal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert handler == signal.SIG_IGN
