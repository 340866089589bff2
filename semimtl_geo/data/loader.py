"""DataLoader that raises InputErrors of its worker processes unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset, get_worker_info

from tiles.errors import InputError

Collate = Callable[[list[dict[str, Any]]], Any]


def checked_loader(dataset: Dataset[Any], collate: Collate, **settings: Any) -> DataLoader[Any]:
    """Return a DataLoader that raises an InputError with its own type and fields.

    PyTorch re-raises an error of a worker with the traceback as its only argument. Here the worker
    returns the fields of an :class:`InputError` in place of a batch, and the main process raises
    it.

    Args:
        dataset: A map-style data set.
        collate: Function that makes a batch of a list of samples.
        settings: Further arguments of :class:`torch.utils.data.DataLoader`.

    Example:
        >>> from tiles.errors import InputError
        >>> class Broken:
        ...     def __getitem__(self, index):
        ...         raise InputError("ortho.tif", "is damaged", "replace the file")
        >>> next(iter(checked_loader(Broken(), list, sampler=[0], num_workers=1)))
        Traceback (most recent call last):
        tiles.errors.InputError: ortho.tif: is damaged; replace the file
    """
    return _RaisingLoader(
        _ReturnsFailures(dataset), collate_fn=_PassesFailures(collate), **settings
    )


@dataclass(frozen=True)
class _Failure:
    """An InputError as plain values: pickled exceptions bring their causes, which may not unpickle.

    Attributes:
        kind: Type of the error.
        arguments: Source, fault and remedy of the error.
    """

    kind: type[InputError]
    arguments: tuple[str, str, str]


class _ReturnsFailures(Dataset[Any]):
    """A data set that returns a failure where the worker would raise an InputError."""

    def __init__(self, dataset: Dataset[Any]) -> None:
        self.dataset = dataset

    def __getitem__(self, query: Any) -> Any:
        try:
            return self.dataset[query]
        except InputError as error:
            if get_worker_info() is None:
                raise
            return _Failure(type(error), (error.source, error.fault, error.remedy))


class _PassesFailures:
    """A collate function that returns the first failure among the samples, if there is one."""

    def __init__(self, collate: Collate) -> None:
        self.collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        failures = [sample for sample in samples if isinstance(sample, _Failure)]
        return failures[0] if failures else self.collate(samples)


class _RaisingLoader(DataLoader[Any]):
    """A DataLoader that raises the failures among its batches."""

    def __iter__(self) -> Any:
        # Not a generator itself: the workers start here, not with the first batch.
        return self._raise_failures(super().__iter__())

    def _raise_failures(self, batches: Any) -> Iterator[Any]:
        try:
            for batch in batches:
                if isinstance(batch, _Failure):
                    raise batch.kind(*batch.arguments)
                yield batch
        except Exception:
            # The error refers to the iterator, which would be left to the garbage collector. That
            # closes the queues of the workers first, and then waits 5 s for each of them.
            if self.num_workers:
                batches._shutdown_workers()  # PyTorch has no public method for it
                self._iterator = None  # with persistent workers, the next pass would reuse it
            raise
