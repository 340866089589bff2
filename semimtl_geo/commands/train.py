"""``semimtl-geo train``: train one system by Lightning's command line."""

from __future__ import annotations

from collections.abc import Sequence


def run(args: Sequence[str]) -> None:
    """Train one system.

    Args:
        args: Arguments of LightningCLI.

    Raises:
        InputError: If data or configuration cannot be used.
    """
    from lightning.pytorch.utilities import rank_zero_only

    from semimtl_geo.training.cli import train

    # DDP runs this command in each of its processes.
    rank_zero_only(print)(f"trained: {train(args)}")
