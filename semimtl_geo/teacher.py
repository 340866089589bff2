"""A teacher: the network's own average over its last iterations, which knows a little better.

Beyond the paper. It is what is validated, mapped and evaluated (Tarvainen and Valpola, NIPS 2017),
and after a warm-up it answers the tasks that a domain has no labels for. The network learns them on
images in which classes were pasted from one into another (ClassMix: Olsson et al., WACV 2021).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from semimtl_geo.data.isprs import UNKNOWN
from semimtl_geo.networks.generator import Generator
from semimtl_geo.tasks import Segmentation, Task
from tiles.errors import InputError

Data = Mapping[str, Tensor]
"""Images and labels of one domain, or targets by task."""


@dataclass(frozen=True)
class Teaching:
    """How the average is made, and what it teaches.

    Attributes:
        decay: Of the average, per iteration.
        weight: Of what it teaches, beside the task's own; 0: it does not teach.
        warmup: Iterations before it does.
        confidence: It keeps quiet about a pixel whose likeliest class is less probable.
        mix: Paste half of the classes of each image into the next one.
    """

    decay: float = 0.99
    weight: float = 0.3
    warmup: int = 300
    confidence: float = 0.9
    mix: bool = True

    def build(self, generator: Generator, tasks: Sequence[Task]) -> Teacher:
        """The teacher, which begins as the network is.

        Raises:
            InputError: If a share is none.
        """
        for name, share in (("decay", self.decay), ("confidence", self.confidence)):
            if not 0 <= share < 1:
                fault, remedy = f"{share} is none", "give at least 0, and less than 1"
                raise InputError(f"model.teacher.{name}", fault, remedy)
        return Teacher(self, generator, tasks)


class Teacher(nn.Module):
    """The average of a network. It is in evaluation mode all the time.

    Args:
        settings: What it does.
        generator: The network that is trained.
        tasks: What that predicts.
    """

    def __init__(self, settings: Teaching, generator: Generator, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.settings = settings
        self.tasks = list(tasks)
        self.network = copy.deepcopy(generator).requires_grad_(False).eval()
        # torch gives it no types.
        self.average = get_ema_multi_avg_fn(settings.decay)  # type: ignore[no-untyped-call]

    def train(self, mode: bool = True) -> Teacher:
        """Stay in evaluation mode, whatever is done to the whole."""
        return super().train(False)

    def follow(self, generator: Generator) -> None:
        """Average weights and BatchNorm statistics: ``decay * own + (1 - decay) * generator's``."""
        own, new = (_floats(network) for network in (self.network, generator))
        self.average(own, new, 0)  # 0: it needs no number of averages

    def prepare(
        self, batch: Mapping[str, Data], domains: Sequence[str], iteration: int
    ) -> tuple[Mapping[str, Data], Mapping[str, Data]]:
        """What the network is to see of each domain, and what it is taught besides.

        Args:
            batch: Images and labels by domain.
            domains: Names of all domains, which number them.
            iteration: How many are done. During the warm-up nothing is changed, nothing taught.

        Returns:
            :meth:`teach` of each domain.
        """
        if self.settings.weight == 0 or iteration < self.settings.warmup:
            return batch, {}
        lessons = {name: self.teach(data, domains.index(name)) for name, data in batch.items()}
        seen = {name: shown for name, (shown, _) in lessons.items()}
        return seen, {name: taught for name, (_, taught) in lessons.items()}

    @torch.no_grad()
    def teach(self, data: Data, domain: int) -> tuple[Data, Data]:
        """Answer what a domain's labels do not.

        Args:
            data: The domain's images and labels.
            domain: Its number, from 0.

        Returns:
            Images and labels that the network is to see, mixed if that is wanted; and by task
            without labels its target, as of :meth:`Task.target`, unknown where the teacher is not
            sure.
        """
        self.network.use_domain(domain)
        outputs = self.network(data["image"])
        unlabelled = [task for task in self.tasks if task.label not in data]
        confidence = self.settings.confidence
        taught = {task.name: task.taught(outputs[task.name], confidence) for task in unlabelled}
        partition = next((task for task in self.tasks if isinstance(task, Segmentation)), None)
        if not self.settings.mix or partition is None or not unlabelled:
            return data, taught
        classes = data.get(partition.label)
        if classes is None:
            classes = partition.decide(outputs[partition.name])
        pasted = half_of_classes(classes, partition.channels).roll(1, dims=0)
        return _paste(data, pasted), _paste(taught, pasted)

    def loss(self, task: Task, output: Tensor, target: Tensor) -> Tensor:
        """The task's loss on what is taught, times the share of pixels that are.

        Args:
            task: The task.
            output: The network's, ``[B, channels, H, W]``.
            target: The teacher's, ``[B, H, W]``.
        """
        known = ~target.isnan() if target.is_floating_point() else target != UNKNOWN
        return known.float().mean() * task.loss(output, target)


def half_of_classes(classes: Tensor, count: int) -> Tensor:
    """The pixels of half of each image's classes, drawn at random (ClassMix, section 3.2).

    Args:
        classes: int64 ``[B, H, W]``; values from ``count`` on are no class.
        count: Number of classes, K.

    Returns:
        bool ``[B, H, W]``. Of an odd number of classes the smaller half is drawn.
    """
    masks = torch.stack([classes == number for number in range(count)], dim=1)
    present = masks.flatten(2).any(dim=2)
    lots = torch.where(present, torch.rand(present.shape, device=classes.device), 2.0)
    rank = lots.argsort(dim=1).argsort(dim=1)
    drawn = rank < present.sum(dim=1, keepdim=True) // 2
    return (masks & drawn[:, :, None, None]).any(dim=1)


def _paste(maps: Mapping[str, Tensor], pasted: Tensor) -> dict[str, Tensor]:
    """Each image, or map, with these pixels of the one before it."""
    return {
        name: torch.where(
            pasted[:, None] if values.ndim == 4 else pasted, values.roll(1, 0), values
        )
        for name, values in maps.items()
    }


def _floats(network: nn.Module) -> list[Tensor]:
    """Weights and statistics; a weight that layers share, once."""
    return [
        value for value in (*network.parameters(), *network.buffers()) if value.is_floating_point()
    ]
