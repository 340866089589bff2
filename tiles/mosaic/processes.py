"""Work in several processes, which end with this one and report how far they have come."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, Final

import torch

from tiles.errors import InputError

START_METHOD = "spawn"
"""How processes are started: not as forks, which cannot use a GPU that their parent has used."""

POLL_SECONDS: Final = 0.5
"""Interval at which the progress of other processes is read."""

Send = Callable[[Any], None]
"""Function with which a process sends a message to the one that started it."""


class StoppedError(RuntimeError):
    """Raised in another process when the work has ended early."""


def run_in_processes(
    function: Callable[[Any, Any, Send], Any],
    states: Sequence[Any],
    items: Sequence[Any],
    receive: Callable[[int, Any], None] | None = None,
    threads: int | None = None,
) -> Generator[tuple[int, Any], None, None]:
    """Call a function for each item, in a process for each state.

    A process takes the next item when it has finished one. Its calls to `send` raise
    :class:`StoppedError` when the generator is closed or an item has failed.

    Args:
        function: Function of a state, an item and `send`.
        states: An object for each process, such as a network, which the process keeps.
        items: The items.
        receive: Function that is called with the number of an item and each message that was sent.
        threads: Number of threads of torch in each process; by default the number in this one.

    Yields:
        Number of an item and the result of the function, in the order in which they finish.

    Raises:
        InputError: If a process is killed.
    """
    context = multiprocessing.get_context(START_METHOD)
    pickled, messages = context.Queue(), context.Queue()
    # Without a lock, which a process that is killed might keep.
    stopped = context.Value("b", 0, lock=False)
    states = states[: len(items)]
    for state in states:
        # Pickled here: multiprocessing would put tensors into shared memory, which may be small.
        pickled.put(pickle.dumps(state))
    begin = (pickled, messages, stopped, threads or torch.get_num_threads())
    with ProcessPoolExecutor(len(states), context, _start, begin) as pool:
        try:
            with _no_interrupt():
                running = {
                    pool.submit(_call, function, number, item): number
                    for number, item in enumerate(items)
                }
            while running:
                done, _ = wait(running, POLL_SECONDS, FIRST_COMPLETED)
                _receive(messages, receive)
                for future in done:
                    yield running.pop(future), _result(future)
        finally:
            stopped.value = 1
            pool.shutdown(cancel_futures=True)
            pickled.cancel_join_thread()  # Nobody may have taken the last states.


def _receive(messages: Any, receive: Callable[[int, Any], None] | None) -> None:
    """Pass on all messages that have arrived."""
    while receive is not None:
        try:
            receive(*messages.get_nowait())
        except queue.Empty:
            return


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except BrokenProcessPool as error:
        fault = "ended by itself, perhaps because memory ran out"
        remedy = "give it more memory, or use fewer processes, and start again"
        raise InputError("a process", fault, remedy) from error


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Let processes that are started ignore Ctrl-C: this process stops them."""
    if threading.current_thread() is not threading.main_thread():  # Only that has signals.
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class _Process:
    """State of a process of the pool."""

    pickled: bytes
    state: Any = None
    messages: Any
    stopped: Any


def _start(pickled: Any, messages: Any, stopped: Any, threads: int) -> None:
    """Prepare a process of the pool."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(threads)
    messages.cancel_join_thread()  # Nobody may read the last messages.
    _Process.pickled, _Process.messages, _Process.stopped = pickled.get(), messages, stopped


def _end_with_parent() -> None:
    """End this process when its parent is killed; it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(function: Callable[[Any, Any, Send], Any], number: int, item: Any) -> Any:
    """Call the function for an item in a process of the pool."""

    def send(message: Any) -> None:
        if _Process.stopped.value:
            raise StoppedError
        _Process.messages.put((number, message))

    try:
        if _Process.state is None:
            # It comes from the process that started this one.
            _Process.state = pickle.loads(_Process.pickled)  # noqa: S301
        return function(_Process.state, item, send)
    except Exception as error:
        raise _portable(error) from None


def _portable(error: Exception) -> Exception:
    """Return an error that can be sent to another process."""
    # Some libraries (tblib) make pickle follow causes, and rasterio's cannot be unpickled.
    error.__cause__ = error.__context__ = None
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - pickled in this line
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
