"""The signals of `serve`, received by the main thread one after the other."""

from __future__ import annotations

import os
import signal


class SignalReceiver:
    """Receives signals in the order of their arrival, from its creation to the end of the process.

    A handler in Python runs only when the main thread executes the next bytecode. If the signal arrives just before the
    main thread blocks, or in another thread, that may be never, and the signal is lost. The interpreter's wakeup
    descriptor has no such gap: the number of the signal is in the pipe at once, and ends the wait.
    """

    def __init__(self, *numbers: int) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def wait(self) -> int:
        """Wait for the next signal and return its number."""
        return os.read(self._reader, 1)[0]
