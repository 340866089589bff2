"""Trained networks as one callable that can be sent to other processes and machines."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from semimtl_geo.mapping.precision import Precision, autocast
from semimtl_geo.networks.batchnorm import DomainBatchNorm
from semimtl_geo.networks.discriminator import GROUND_TRUTH, Discriminator, average_blocks
from semimtl_geo.networks.generator import Generator
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.tasks import Task
from tiles.errors import InputError, InvalidValueError
from tiles.maps.layers import ClassMap, Layer, PercentMap, ProbabilityMap

PLAUSIBILITY = "{}_plausibility"
"""Name of the layer that says how plausible a task's map is."""


class Predictor:
    """Callable that predicts batches of tiles for the mosaicker.

    A pickled predictor holds plain settings and tensors on the CPU, but nothing that belongs to a
    process, such as a CUDA context or shared memory. The weights move to the device at the first
    call.

    Args:
        card: Settings of the networks.
        generator: The network, in evaluation mode.
        discriminators: Discriminators by task, in evaluation mode, so that spectral normalisation
            is constant. The plausibility of each of these tasks is predicted, too.
        device: Device that predicts; if None, the first GPU of the machine of the process that
            calls, or its CPU.
        scale: Value in the raster that is scaled to 1.
        precision: Precision of the networks' layers; what is returned is float32.
    """

    def __init__(
        self,
        card: ModelCard,
        generator: Generator,
        discriminators: Mapping[str, Discriminator] | None = None,
        device: str | torch.device | None = None,
        scale: float = 1.0,
        precision: Precision = "float32",
    ) -> None:
        self.card, self.scale, self.precision = card, scale, precision
        self.device = None if device is None else torch.device(device)
        self._networks = nn.ModuleDict(
            {"generator": generator, "discriminators": nn.ModuleDict(dict(discriminators or {}))}
        )
        self._ready = False
        self._most = 0  # tiles that fit into the memory at once; 0: not known

    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Predict a batch.

        Args:
            images: Tensor float32 ``[B, bands, H, W]`` with the values of the raster.

        Returns:
            Class probabilities ``[B, channels, H, W]``, or values in the task's unit, by task. With
            discriminators also, by ``<task>_plausibility``, the probability ``[B, 1, H, W]`` that
            the task's discriminator assigns to ground truth.

        Raises:
            InputError: If not even one tile fits into the memory of the device.

        Warns:
            UserWarning: If a batch does not fit, which is then predicted in halves.
        """
        device = self.to_device().device
        assert device is not None  # noqa: S101 - to_device has found one
        if device.type == "cuda":
            images = images.pin_memory()  # from there, copies do not wait
        while True:
            parts = torch.split(images, self._most or len(images))
            try:
                made = [self._predict(part, device) for part in parts]
                break
            except torch.OutOfMemoryError:
                # What the failed batch holds is freed when this block is left.
                self._most = len(parts[0]) // 2
            if not self._most:
                fault = "does not fit into the memory of the device with one tile"
                raise InputError("network", fault, "give a smaller tile")
            remark = f"{len(parts[0])} tiles do not fit into the memory of {device} at once"
            warnings.warn(f"{remark}; {self._most} are predicted", stacklevel=2)
            if device.type == "cuda":
                torch.cuda.empty_cache()
        if len(made) == 1:
            return made[0]
        return {name: torch.cat([part[name] for part in made]) for name in made[0]}

    def _predict(self, images: Tensor, device: torch.device) -> dict[str, Tensor]:
        """Predict a batch that may be too large for the memory."""
        with torch.inference_mode(), autocast(device.type, self.precision):
            images = images.to(device, non_blocking=True) / self.scale
            outputs = self._networks["generator"](images)
            predictions = {task.name: task.estimate(outputs[task.name]) for task in self.card.tasks}
            for task in self.card.tasks:
                if task.name in self._discriminators:
                    full = task.discriminator_input(outputs[task.name])
                    shown = average_blocks(full, self.card.discriminator_stride)
                    odds = self._discriminators[task.name](shown).float().softmax(dim=1)
                    truth = odds[:, GROUND_TRUTH : GROUND_TRUTH + 1]
                    predictions[PLAUSIBILITY.format(task.name)] = F.interpolate(
                        truth, size=full.shape[-2:], mode="bilinear", align_corners=False
                    )
        return predictions

    @property
    def _discriminators(self) -> nn.ModuleDict:
        discriminators = self._networks["discriminators"]
        assert isinstance(discriminators, nn.ModuleDict)  # noqa: S101 - for the type checker
        return discriminators

    def to_device(self) -> Predictor:
        """Move the networks to the device, unless they are there, and return this predictor."""
        if not self._ready:
            self.device = check_device(self.device)
            if any(value.device != self.device for value in self._networks.state_dict().values()):
                # Others may use the same modules on the device where they are.
                self._networks = copy.deepcopy(self._networks).to(self.device)
            self._ready = True
        return self

    def scaled(self, scale: float) -> Predictor:
        """Return a predictor with the same networks and another scale.

        Args:
            scale: Value in the raster that is scaled to 1.
        """
        other = Predictor.__new__(Predictor)
        other.__dict__.update(self.__dict__, scale=scale)
        return other

    def __getstate__(self) -> dict[str, Any]:
        weights = {key: value.cpu() for key, value in self._networks.state_dict().items()}
        buffer = io.BytesIO()
        torch.save(weights, buffer)
        layers = (m for m in self._networks.modules() if isinstance(m, DomainBatchNorm))
        return {
            "card": self.card.to_plain(),
            "weights": buffer.getvalue(),
            "plausibility": len(self._discriminators) > 0,
            "domain": next((layer.active for layer in layers), 0),
            "device": None if self.device is None else str(self.device),
            "scale": self.scale,
            "precision": self.precision,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.__getstate__(),)


def _rebuild(state: Mapping[str, Any]) -> Predictor:
    """Build a predictor from :meth:`Predictor.__getstate__`."""
    card = ModelCard.from_plain(state["card"])
    generator = card.build_generator()
    generator.use_domain(state["domain"])
    discriminators = card.build_discriminators() if state["plausibility"] else {}
    predictor = Predictor(
        card, generator, discriminators, state["device"], state["scale"], state["precision"]
    )
    weights = torch.load(io.BytesIO(state["weights"]), map_location="cpu", weights_only=True)
    predictor._networks.load_state_dict(weights)
    predictor._networks.eval()
    return predictor


def map_layers(
    tasks: Sequence[Task], confidence: bool, plausibility: bool, probabilities: bool = False
) -> list[Layer]:
    """Return the maps of tasks, and maps of how far these are to be trusted.

    Args:
        tasks: The tasks.
        confidence: Add the highest probability for tasks of classes.
        plausibility: Add the plausibility that a :class:`Predictor` with discriminators predicts.
        probabilities: Add the probability of each class for tasks of classes.
    """
    layers = [task.layer() for task in tasks]
    further: list[Layer] = []
    if confidence:
        further += [
            PercentMap(f"{layer.name}_confidence", f"confidence in {layer.name}", layer.name)
            for layer in layers
            if isinstance(layer, ClassMap)
        ]
    if probabilities:
        further += [
            ProbabilityMap(f"{layer.name}_probabilities", layer.name, layer.classes)
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
    """Return a device of this machine, with its number.

    Args:
        device: Name of the device; if None, the first GPU, or the CPU.

    Raises:
        InvalidValueError: If this machine has no such device.
    """
    try:
        found = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if found.type == "cuda":
            torch.cuda.get_device_properties(found)
            # The device of a tensor has a number: cuda:0 is not equal to cuda.
            number = torch.cuda.current_device() if found.index is None else found.index
            found = torch.device("cuda", number)
        torch.empty(1, device=found).cpu()  # torch accepts names of devices that it cannot use
    # PyTorch raises RuntimeError for a wrong name, AssertionError without CUDA, NotImplementedError
    # for the device `meta`, and ImportError for a device whose module is not installed.
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        have = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
        fault = "is not a device of this machine"
        remedy = f"use {' or '.join([*have, 'cpu'])}"
        raise InvalidValueError(f"device {device}", fault, remedy) from error
    return found
