"""A network with a fixed input size that includes normalisation and output activations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semimtl_geo.mapping.trained_network import TrainedNetwork
from semimtl_geo.tasks import Segmentation, Task
from tiles.errors import InvalidValueError

HIGHEST = 255.0
"""Value in metres that heights are cut at: Deepness has kept them in bytes."""


class FixedNetwork(nn.Module):
    """A network with fixed BatchNorm statistics and input size, for export to other programs.

    Args:
        network: The network; its BatchNorm statistics must be chosen.
        tile: Edge of images in pixels; by default the tile of the model card.
        tasks: Names of the tasks that are answered; by default all.

    Attributes:
        tile: Edge of images in pixels.
        overlap: Pixels that neighbouring tiles should share.
        statistics: Origin of the BatchNorm statistics, in words.
        tasks: The tasks, in the order of the answers.

    Raises:
        InvalidValueError: If the network has statistics per domain, and none was chosen.

    Example:
        >>> from semimtl_geo import Mapper
        >>> network = FixedNetwork(Mapper.load("semimtl.ckpt", "cpu").for_domain("city_a"))
        >>> with torch.no_grad():
        ...     classes, heights = network(torch.zeros(1, 3, network.tile, network.tile))
        >>> classes.shape[1], heights.shape[1]
        (6, 1)
    """

    def __init__(
        self,
        network: TrainedNetwork,
        tile: int | None = None,
        tasks: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        if network.needs_statistics:
            fault = f"has BatchNorm statistics for each of {', '.join(network.card.domains)}"
            remedy = "choose one by --domain, or give an orthophoto by --raster to re-estimate them"
            raise InvalidValueError("model", fault, remedy)
        card = network.card
        self.tile = tile or card.tile or card.crop
        self.overlap = card.overlap if card.overlap is not None else self.tile // 2
        self.tasks: list[Task] = [
            task for task in card.tasks if tasks is None or task.name in tasks
        ]
        self.bands = len(card.bands)
        self.statistics = network.statistics_in_words
        generator = copy.deepcopy(network.generator).cpu().float().eval()
        for name in [*generator.decoders]:
            if name not in {task.name for task in self.tasks}:
                del generator.decoders[name]
        # torch.export cannot save channels-last tensors completely, so make them contiguous.
        generator.to(memory_format=torch.contiguous_format)
        self.generator = generator.requires_grad_(False)

    def example(self) -> Tensor:
        """Return an image of the right size: ``[1, bands, tile, tile]`` in 0..1."""
        generator = torch.Generator().manual_seed(0)
        return torch.rand(1, self.bands, self.tile, self.tile, generator=generator)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Predict.

        Args:
            images: float32 ``[B, bands, tile, tile]`` in 0..1.

        Returns:
            Of each task, class probabilities ``[B, classes, tile, tile]``, or values in its unit
            from 0 to 255, ``[B, 1, tile, tile]``.
        """
        outputs = self.generator(images)
        estimates = []
        for task in self.tasks:
            estimate = task.estimate(outputs[task.name])
            if not isinstance(task, Segmentation):
                estimate = estimate.clamp(max=HIGHEST)
            estimates.append(estimate)
        return tuple(estimates)

    def without_adaptive_pooling(self) -> FixedNetwork:
        """Return the same network with adaptive pooling as products with constant matrices.

        ONNX has no adaptive pooling, and the exporter refuses it unless all windows are alike.
        """
        plain = copy.deepcopy(self)
        sizes: dict[str, tuple[int, int]] = {}

        def remember(name: str, image: Tensor) -> None:
            sizes[name] = (image.shape[-2], image.shape[-1])

        hooks = [
            module.register_forward_pre_hook(lambda _, inputs, name=name: remember(name, inputs[0]))
            for name, module in plain.named_modules()
            if isinstance(module, nn.AdaptiveAvgPool2d)
        ]
        with torch.no_grad():
            plain(plain.example())
        for hook in hooks:
            hook.remove()
        for name, size in sizes.items():
            module = plain.get_submodule(name)
            wanted: Any = module.output_size
            rows, columns = wanted if isinstance(wanted, tuple) else (wanted, wanted)
            parent, _, child = name.rpartition(".")
            pool = _MatrixPool(size, (int(rows), int(columns)))
            setattr(plain.get_submodule(parent), child, pool)
        return plain


class _MatrixPool(nn.Module):
    """Adaptive average pooling of one input size.

    Args:
        size: Height and width of the input.
        bins: Height and width of the output.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, size: tuple[int, int], bins: tuple[int, int]) -> None:
        super().__init__()
        for name, length, count in zip(("rows", "columns"), size, bins, strict=True):
            # Pooled unit vectors are the columns of the matrix.
            matrix = F.adaptive_avg_pool1d(torch.eye(length)[None], count)[0].T
            self.register_buffer(name, matrix.contiguous())

    def forward(self, images: Tensor) -> Tensor:
        """Pool ``[B, C, H, W]``."""
        return self.rows @ images @ self.columns.T
