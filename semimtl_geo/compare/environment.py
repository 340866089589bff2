"""Facts of a report on the machine and the program that made it."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch

from semimtl_geo.compare.comparison import Outcome


def collect_facts(outcomes: Sequence[Outcome], **more: str) -> dict[str, str]:
    """Return facts on how outcomes were made.

    Args:
        outcomes: Outcomes of all runs.
        **more: Further facts, by their names.
    """
    packages = ("semimtl-geo", "torch", "torchgeo", "rasterio")
    several = len({outcome.run.seed for outcome in outcomes}) > 1
    return {
        "Machine": f"{processor_name()}, {os.cpu_count()} cores"
        + (f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""),
        "Date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "Versions": ", ".join(f"{name} {version(name)}" for name in packages),
        "Training": "; ".join(
            f"{outcome.run.title}"
            f"{f', seed {outcome.run.seed}' if several else ''} {outcome.seconds:.0f} s"
            for outcome in outcomes
        ),
        **more,
    }


def processor_name() -> str:
    """Return the name of the processor."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
