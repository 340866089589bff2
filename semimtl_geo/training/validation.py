"""Scores of the supervised tasks on validation batches, per domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor
from torchmetrics import Metric

from semimtl_geo.tasks import Task


class ValidationScores:
    """Scores that are collected batch by batch, for each domain and task.

    Args:
        tasks: The tasks to score.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self._metrics: dict[tuple[str, str], Metric] = {}

    def update(
        self, domain: str, outputs: Mapping[str, Tensor], labels: Mapping[str, Tensor]
    ) -> None:
        """Score one batch of a domain.

        Args:
            domain: Name of the domain.
            outputs: The network's outputs by task, ``[B, channels, H, W]``.
            labels: Labels ``[B, H, W]``; tasks whose label is missing are not scored.
        """
        for task in self.tasks:
            if task.label in labels:
                output, key = outputs[task.name], (domain, task.name)
                if key not in self._metrics:
                    self._metrics[key] = task.scores().to(output.device)
                self._metrics[key].update(
                    task.decide(task.estimate(output)), task.target(labels[task.label])
                )

    def pop(self) -> Iterator[tuple[str, Tensor]]:
        """Yield ``<domain>/<task>/<score>`` and its value, and begin anew."""
        for (domain, task), metric in self._metrics.items():
            for name, value in metric.compute().items():
                yield f"{domain}/{task}/{name}", value.float()
        self._metrics.clear()
