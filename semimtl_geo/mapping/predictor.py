"""Trained networks as one callable that crosses to other processes and machines."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from semimtl_geo.learning.adversarial import GROUND_TRUTH
from semimtl_geo.networks.batchnorm import DomainBatchNorm
from semimtl_geo.networks.checkpoint import ModelCard
from semimtl_geo.networks.discriminator import Discriminator
from semimtl_geo.networks.generator import Generator
from semimtl_geo.tasks import Task
from tiles.errors import InputError
from tiles.maps.layers import ClassMap, Layer, PercentMap

PLAUSIBILITY = "{}_plausibility"
"""Name of the layer that says how plausible a task's map is."""


class Predictor:
    """What the mosaicker calls with batches of tiles.

    Pickled it is plain settings and tensors on the CPU, and nothing of a process (no CUDA context,
    no shared memory). The weights go to the device when it is first called.

    Args:
        card: The networks' settings.
        generator: The network, in evaluation mode.
        discriminators: By task, in evaluation mode, in which spectral normalisation is constant.
            For each the plausibility of its task is answered too.
        device: Where to predict; if None, the first GPU of the machine that calls, or its CPU.
        scale: The raster's value that stands for 1.
    """

    def __init__(
        self,
        card: ModelCard,
        generator: Generator,
        discriminators: Mapping[str, Discriminator] | None = None,
        device: str | torch.device | None = None,
        scale: float = 1.0,
    ) -> None:
        self.card, self.scale = card, scale
        self.device = None if device is None else torch.device(device)
        judges = nn.ModuleDict(dict(discriminators or {}))
        self._networks = nn.ModuleDict({"generator": generator, "discriminators": judges})
        self._ready = False

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Predict a batch.

        Args:
            images: float32 ``[B, bands, H, W]``, values as the raster has them.

        Returns:
            Per task ``[B, channels, H, W]``: class probabilities, or values in the task's unit. Per
            discriminator ``[B, 1, H, W]``: the probability that it takes the task's prediction for
            ground truth.
        """
        device = self._settle()
        with torch.inference_mode():
            images = images.to(device, non_blocking=True) / self.scale
            outputs = self._networks["generator"](images)
            answer = {task.name: task.estimate(outputs[task.name]) for task in self.card.tasks}
            for task in self.card.tasks:
                if task.name in self._judges:
                    logits = self._judges[task.name](task.judged(outputs[task.name]))
                    truth = slice(GROUND_TRUTH, GROUND_TRUTH + 1)
                    answer[PLAUSIBILITY.format(task.name)] = logits.softmax(dim=1)[:, truth]
        return answer

    @property
    def _judges(self) -> nn.ModuleDict:
        judges = self._networks["discriminators"]
        assert isinstance(judges, nn.ModuleDict)  # noqa: S101 - what the constructor put there
        return judges

    def _settle(self) -> torch.device:
        """Bring the networks to the device, once."""
        if not self._ready:
            self.device = check_device(self.device)
            if any(value.device != self.device for value in self._networks.state_dict().values()):
                # A copy: these may be in use elsewhere, on the device where they are.
                self._networks = copy.deepcopy(self._networks).to(self.device)
            self._ready = True
        assert self.device is not None  # noqa: S101 - for the type checker
        return self.device

    def __getstate__(self) -> dict[str, Any]:
        weights = {key: value.cpu() for key, value in self._networks.state_dict().items()}
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        layers = (m for m in self._networks.modules() if isinstance(m, DomainBatchNorm))
        return {
            "card": self.card.to_plain(),
            "weights": buffer.getvalue(),
            "judges": len(self._judges) > 0,
            "domain": next((layer.active for layer in layers), 0),
            "device": None if self.device is None else str(self.device),
            "scale": self.scale,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.__getstate__(),)


def _rebuild(state: Mapping[str, Any]) -> Predictor:
    """Undo :meth:`Predictor.__getstate__`."""
    card = ModelCard.from_plain(state["card"])
    generator = card.build_generator()
    generator.use_domain(state["domain"])
    discriminators = card.build_discriminators() if state["judges"] else {}
    made = Predictor(card, generator, discriminators, state["device"], state["scale"])
    weights = torch.load(io.BytesIO(state["weights"]), map_location="cpu", weights_only=True)
    made._networks.load_state_dict(weights)
    made._networks.eval()
    return made


def map_layers(tasks: Sequence[Task], confidence: bool, plausibility: bool) -> list[Layer]:
    """The maps of tasks, and of how far they are to be trusted.

    Args:
        tasks: The tasks.
        confidence: With the highest probability of tasks of classes.
        plausibility: With what a :class:`Predictor` with discriminators answers.
    """
    layers = [task.layer() for task in tasks]
    further: list[Layer] = []
    if confidence:
        further += [
            PercentMap(f"{layer.name}_confidence", f"confidence in {layer.name}", layer.name)
            for layer in layers
            if isinstance(layer, ClassMap)
        ]
    if plausibility:
        further += [
            PercentMap(PLAUSIBILITY.format(task.name), f"plausibility of {task.name}")
            for task in tasks
        ]
    return layers + further


def check_device(device: str | torch.device | None = None) -> torch.device:
    """A device of this machine, with its number.

    Args:
        device: Its name; if None, the first GPU, or the CPU.

    Raises:
        InputError: If this machine has none of that name.
    """
    try:
        found = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if found.type == "cuda":
            torch.cuda.get_device_properties(found)
            # Tensors say that they are on cuda:0, which is not equal to cuda.
            number = torch.cuda.current_device() if found.index is None else found.index
            found = torch.device("cuda", number)
        torch.empty(1, device=found).cpu()  # some are known by name only
    # torch: RuntimeError of a wrong name, AssertionError without CUDA, NotImplementedError of meta.
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        have = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        fault = "is no device of this machine"
        raise InputError(f"device {device}", fault, f"use {' or '.join([*have, 'cpu'])}") from error
    return found
