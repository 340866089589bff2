"""Ctrl-C while a model is trained."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from lightning.pytorch import Callback, LightningModule, Trainer

PATIENCE: Final = 1.0
"""Seconds after the first Ctrl-C from which on another one stops at once."""


@contextmanager
def stop_between_iterations(trainer: Trainer) -> Iterator[None]:
    """Let Ctrl-C end a training between two of its iterations.

    Python raises KeyboardInterrupt between any two instructions. If it does so where the lock of a
    queue is held, as TensorBoard's is whenever a value is logged, nobody releases that lock, and
    Lightning waits for it forever when it closes the loggers. Lightning then also ignores further
    interrupts and ends the process with exit code 1.

    Args:
        trainer: Lightning's trainer, which is to be run within this context.

    Raises:
        KeyboardInterrupt: After Ctrl-C, once the trainer has closed its loggers.
    """
    handler = signal.getsignal(signal.SIGINT)
    # Only the main thread gets signals. A handler other than Python's default is not replaced.
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and handler is signal.default_int_handler:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]  # Lightning's
        callbacks.append(_StopBetweenIterations())
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        raise KeyboardInterrupt from error
    finally:
        if is_main and handler is not None:  # None is a handler that Python did not install
            signal.signal(signal.SIGINT, handler)


class _StopBetweenIterations(Callback):
    """Callback that raises KeyboardInterrupt before an iteration rather than within one."""

    def __init__(self) -> None:
        self._pressed: float | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Install the handler; an interrupt before may be raised anywhere."""
        signal.signal(signal.SIGINT, self._interrupted)

    def on_train_batch_start(self, *args: Any, **kwargs: Any) -> None:
        """Stop here, where the last iteration is complete and logged."""
        self._stop_if_pressed()

    def on_validation_batch_start(self, *args: Any, **kwargs: Any) -> None:
        """Stop here, for validation may be long."""
        self._stop_if_pressed()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle interrupts as before."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._stop_if_pressed()

    def _stop_if_pressed(self) -> None:
        if self._pressed is not None:
            raise KeyboardInterrupt

    def _interrupted(self, number: int, frame: Any) -> None:
        now = time.monotonic()
        if self._pressed is None:
            self._pressed = now
            # print() fails if the signal comes while a progress bar is being printed.
            os.write(2, b"\nstops after this iteration; Ctrl-C again stops at once\n")
        elif now - self._pressed > PATIENCE:
            raise KeyboardInterrupt
