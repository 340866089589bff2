"""Iterations of the demo's training that a machine can afford."""

from __future__ import annotations

import time
from typing import Any, Final

import torch

from semimtl_geo.mapping.precision import Precision, autocast
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.generator import Generator
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.cli import packaged_config, parse_settings

SECONDS: Final = 380.0
"""Time that the training of all systems may take."""

STEPS: Final = 6.6
"""Time of an iteration of all systems, two in parallel, in single-threaded generator steps.

Measured on an Intel Xeon with two cores: 470 s for 600 iterations, at 0.118 s per step."""

LEAST: Final = 100
"""Fewest iterations, whatever they take: with fewer there is little to see."""


def affordable_iterations(precision: Precision) -> tuple[int, int]:
    """Measure how many iterations of all systems fit into :data:`SECONDS`.

    Args:
        precision: Precision of training.

    Returns:
        Iterations that fit, and those of the configuration, which are never exceeded.
    """
    settings = parse_settings([f"--config={packaged_config('cities/base.yaml')}"])
    wanted = settings["data"]["iterations"] * settings["trainer"]["max_epochs"]
    if torch.cuda.is_available():
        return wanted, wanted
    fitting = round(SECONDS / (STEPS * _step_seconds(settings, precision)))
    return min(wanted, max(LEAST, fitting)), wanted


def _step_seconds(settings: dict[str, Any], precision: Precision) -> float:
    """Measure a step of the generator on the chips of two domains, with one thread."""
    model, data = settings["model"], settings["data"]
    generator = Generator(
        [Segmentation(), Depth()],
        domains=2,
        batchnorm="mixed",
        encoder=Encoder(**{**model["encoder"], "weights": None}).build(in_channels=3),
        mean=model["mean"],
        std=model["std"],
        width=model["decoder_width"],
    )
    images = torch.rand(2 * data["batch_size"], 3, data["crop"], data["crop"])
    threads, times = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        for _ in range(3):
            start = time.perf_counter()
            with autocast("cpu", precision):
                outputs = generator(images)
            loss = torch.stack([output.mean() for output in outputs.values()]).sum()
            # PyTorch does not annotate this method.
            loss.backward()  # type: ignore[no-untyped-call]
            times.append(time.perf_counter() - start)
    finally:
        torch.set_num_threads(threads)
    return min(times)
