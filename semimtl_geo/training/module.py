"""Algorithm 1 as a LightningModule; its settings select the paper's other systems."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from semimtl_geo.data import DomainsDataModule
from semimtl_geo.learning.adversarial import AdversarialSettings, Adversary, Confusion
from semimtl_geo.learning.alignment import ALIGNMENTS
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.distributed import average_statistics, reseed, without_reducer
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.learning.systems import SystemName, find_system, supervise
from semimtl_geo.models import find_model
from semimtl_geo.networks.batchnorm import BatchNormMode, sync_drops_activations
from semimtl_geo.networks.checkpoint import KEY
from semimtl_geo.networks.discriminator import check_crop
from semimtl_geo.networks.encoder import IMAGENET_MEAN, IMAGENET_STD, Encoder
from semimtl_geo.networks.fine_tuning import start_from
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.networks.pyramid import Pooling
from semimtl_geo.tasks import Depth, Segmentation, Task
from semimtl_geo.training.logs import logs_now
from semimtl_geo.training.optimizer_steps import AdversarialOptimisation
from semimtl_geo.training.validation import ValidationScores
from tiles.errors import InputError

Labels = Mapping[str, Tensor]
Batch = Mapping[str, Labels]
"""``{domain: {"image": [B, C, H, W], task: [B, H, W], ...}}``; unsupervised labels are absent."""

OPTIMIZED: Final = ("generator", "discriminators")
"""Names of the networks in the order of their optimisers."""

SEED: Final = "semimtl_geo_seed"
"""Key of the seed of the run in a checkpoint."""


class SemiMTL(AdversarialOptimisation):
    """Generator, discriminators, and their training; :meth:`for_data` makes one from Python.

    Args:
        tasks: The tasks; some systems train only some of them.
        domains: Per domain, the names of the tasks whose labels may be used. Those that the system
            reads are numbered k = 1..K in this order.
        system: Name of a registered system: stl_seg, da_seg, stl_depth, da_depth, jtl, semisd,
            semimtl_m1, semimtl_m3 or semimtl (:data:`semimtl_geo.learning.systems.SYSTEMS`).
        encoder: The shared encoder.
        batchnorm: Sharing of BatchNorm statistics between domains, see :data:`BatchNormMode`.
        adversarial: Weights λ of the adversarial losses, and the resolution of discriminators.
        optimisation: Optimisers and schedule.
        consistency: A prior on the heights of classes and its weight; None for no prior.
        decoder_width: Channels inside the decoders.
        discriminator_width: Channels of a discriminator's first layer.
        bands: Names of the image's bands.
        gsd: Ground sampling distance in metres; None for street views.
        crop: Edge of a training crop in pixels.
        pooling: Context of pyramid pooling: windows of a crop's size, or (the paper) the image.
        mean: Mean of images in 0..1, per band.
        std: Standard deviation of images in 0..1, per band.
        start: A trained network to start from, instead of the encoder's weights: its file, or the
            name of a model of the package.

    Raises:
        InputError: If tasks, domains and system do not fit together, or `start` does not fit.

    Example:
        >>> model = SemiMTL(
        ...     tasks=[Segmentation(), Depth()],
        ...     domains={"city_a": ["landcover"], "city_b": ["height"]},
        ...     encoder=Encoder("resnet18", weights=None),
        ... )
        >>> list(model.discriminators)
        ['landcover', 'height']
    """

    def __init__(
        self,
        tasks: list[Task],
        domains: dict[str, list[str]],
        system: SystemName = "semimtl",
        encoder: Encoder = Encoder(),
        batchnorm: BatchNormMode = "per_domain",
        adversarial: AdversarialSettings = AdversarialSettings(),
        optimisation: Optimisation = Optimisation(),
        consistency: Consistency | None = None,
        decoder_width: int = 512,
        discriminator_width: int = 64,
        bands: Sequence[str] = ("NIR", "red", "green"),
        gsd: float | None = None,
        crop: int = 384,
        pooling: Pooling = "crop",
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
        start: str | None = None,
    ) -> None:
        super().__init__()
        supervision = supervise(system, tasks, domains)
        self.tasks = list(supervision.tasks)
        self.domains = list(supervision.domains)
        mode = find_system(system).alignment
        alignment = ALIGNMENTS[mode] if mode else None
        self.adversary = None
        if alignment:
            check_crop(crop, adversarial.stride)
            self.adversary = Adversary(
                alignment, adversarial, supervision.domains, supervision.labelled
            )
        self.batchnorm = batchnorm
        self.adversarial = adversarial
        self.optimisation = optimisation
        self.card = ModelCard(
            system=system,
            tasks=supervision.tasks,
            domains=supervision.domains,
            batchnorm=batchnorm,
            encoder=encoder if start is None else replace(encoder, weights=None),
            decoder_width=decoder_width,
            bands=tuple(bands),
            mean=tuple(mean),
            std=tuple(std),
            gsd=gsd,
            crop=crop,
            pooling=pooling,
            discriminator_width=discriminator_width,
            discriminator_stride=adversarial.stride,
            sees_truth=alignment is None or alignment.sees_truth,
            sources=alignment.source_count(len(self.domains)) if alignment else 0,
        )
        self.generator = self.card.build_generator()
        self.start = start
        if start is not None:
            start_from(self.generator, find_model(start), bands)
        self.discriminators = nn.ModuleDict(self.card.build_discriminators())
        self.consistency = consistency.build(self.tasks) if consistency else None
        self.sync_drops_activations = sync_drops_activations(self.generator)
        self.validation = ValidationScores(self.tasks)
        self.seed: int | None = None

    @classmethod
    def for_data(
        cls,
        data: DomainsDataModule,
        tasks: Sequence[Task] = (Segmentation(), Depth()),
        system: str = "semimtl",
        **settings: Any,
    ) -> SemiMTL:
        """Make a model for data: its domains, resolution, crop size and mean are those of the data.

        Args:
            data: The data of the training run.
            tasks: The tasks; land cover in the classes of ISPRS, and heights by default.
            system: Name of a registered system (:data:`semimtl_geo.learning.systems.SYSTEMS`).
            settings: Further arguments of :class:`SemiMTL`, such as ``encoder``, ``bands`` or
                ``optimisation``.

        Raises:
            InputError: If tasks, data and system do not fit together.

        Example:
            >>> from semimtl_geo import Domain
            >>> from semimtl_geo.networks import Encoder
            >>> domains = {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])}
            >>> data = DomainsDataModule("data", domains, gsd=0.27, crop=128)
            >>> model = SemiMTL.for_data(data, encoder=Encoder("resnet18", weights=None))
            >>> model.card.gsd, model.domains
            (0.27, ['city_a', 'city_b'])
        """
        return cls(
            tasks=list(tasks),
            domains=data.supervised,
            system=system,
            gsd=data.gsd,
            crop=data.crop,
            mean=data.fill,
            **settings,
        )

    @property
    def system(self) -> str:
        """Name of the system; the data module reads only what it learns from."""
        return self.card.system

    def on_fit_start(self) -> None:
        """Refuse SyncBatchNorm that drops activations, and set the seed unless it is set."""
        synced = any(isinstance(module, nn.SyncBatchNorm) for module in self.modules())
        if synced and self.sync_drops_activations:
            fault = "would drop the activations in the encoder's BatchNorm layers"
            raise InputError("trainer.sync_batchnorm", fault, "leave it out, or use a ResNet")
        if self.seed is None:
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Check labels while they are still on the CPU, and seed the iteration.

        All random numbers of an iteration are drawn later, by augmentation and dropout.

        Raises:
            InputError: If labels have values that no pixel can have.
        """
        for domain, data in batch.items():
            for task in self.tasks:
                if task.label in data and (fault := task.label_fault(data[task.label])):
                    remedy = "correct the labels, or declare the value as nodata"
                    raise InputError(f"{task.label} of {domain}", fault, remedy)
        if self.trainer.training and self.seed is not None:
            reseed(self.seed, self.trainer.global_step, self.trainer.global_rank)
        return batch

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """Run one iteration of Algorithm 1.

        With D frozen, G steps after each mini-batch (one domain, or all if BatchNorm mixes them),
        or once after all if ``optimisation.synchronous``. Then each D steps, on ground truth and on
        the predictions of G. Both use the same outputs of D, see :meth:`Adversary.terms`.
        """
        # D's weights change only at the end, so one power iteration of their spectral norms
        # suffices, and is cached (Miyato et al., ICLR 2018, algorithm 1).
        with without_reducer(self.trainer.strategy.model), parametrize.cached():
            log: dict[str, Tensor | float] = {**self._iterate(batch)}
        for name, optimizer in zip(OPTIMIZED, self._optimizers(), strict=False):
            log[f"lr/{name}"] = optimizer.param_groups[0]["lr"]
        self._schedule().step()
        if logs_now(self.trainer):
            self.log_dict(log)

    def _iterate(self, batch: Batch) -> dict[str, Tensor]:
        """Step G and D, and return every loss term and the confusion matrix of D."""
        generator_step, *discriminator_step = self._optimizers()
        discriminator_losses: list[Tensor] = []
        log: dict[str, Tensor] = {}
        confusion = Confusion(self.adversary.sources if self.adversary else [])
        mini_batches = self._mini_batches(batch)
        for number, mini_batch in enumerate(mini_batches, start=1):
            generator_losses: list[Tensor] = []
            for domain, outputs in self._predict(mini_batch):
                k = self.domains.index(domain)
                for task in self.tasks:
                    output, labels = outputs[task.name], mini_batch[domain].get(task.label)
                    target = None if labels is None else task.target(labels)
                    prefix = f"train/{domain}/{task.name}"
                    if target is not None:
                        supervised = task.loss(output, target)
                        generator_losses.append(task.weight * supervised)
                        log[f"{prefix}/supervised"] = supervised
                    if self.adversary is not None:
                        discriminator = self.discriminators[task.name]
                        terms = self.adversary.terms(
                            task, discriminator, k, output, target, self.loss_scale
                        )
                        generator_losses.append(terms.generator_term)
                        discriminator_losses.append(terms.discriminator_loss)
                        log |= {f"{prefix}/{name}": value for name, value in terms.parts.items()}
                        confusion.add(task.name, terms.confusion_counts)
                if self.consistency is not None and (
                    consistency := self.consistency(outputs, mini_batch[domain])
                ):
                    taught, loss = consistency
                    generator_losses.append(self.consistency.prior.weight * loss)
                    log[f"train/{domain}/{taught.name}/consistency"] = loss
            first, last = number == 1, number == len(mini_batches)
            joint = self.optimisation.synchronous
            if first or not joint:
                self._begin_step(generator_step, counts=last or joint)
            self._add_gradients(generator_step, generator_losses)
            if last or not joint:
                self._end_step(generator_step, self.optimisation.clip)
        for optimizer in discriminator_step:
            self._begin_step(optimizer)
            self._add_gradients(optimizer, discriminator_losses)
            self._end_step(optimizer)
        average_statistics(self.generator)
        return {name: value.detach() for name, value in log.items()} | confusion.shares()

    def _mini_batches(self, batch: Batch) -> list[Batch]:
        """Split a batch into the domains that are forwarded together."""
        if self.batchnorm == "mixed":
            return [batch]
        return [{domain: data} for domain, data in batch.items()]

    def _predict(self, mini_batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Yield each domain and its outputs by task.

        Tasks without a loss are forwarded, too, because their decoders' statistics need it.
        """
        self.generator.use_domain(self.domains.index(next(iter(mini_batch))))
        images = [data["image"] for data in mini_batch.values()]
        outputs = self.generator(torch.cat(images))
        parts = {name: output.split([*map(len, images)]) for name, output in outputs.items()}
        for i, domain in enumerate(mini_batch):
            yield domain, {name: split[i] for name, split in parts.items()}

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score the supervised tasks of one domain's validation chips."""
        for domain, data in batch.items():
            self.generator.use_domain(self.domains.index(domain))
            self.validation.update(domain, self.generator(data["image"]), data)

    def on_validation_epoch_end(self) -> None:
        """Log ``val/<domain>/<task>/<score>``."""
        for name, score in self.validation.pop():
            self.log(f"val/{name}", score)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model card, which is all that mapping needs besides the weights, and the seed."""
        super().on_save_checkpoint(checkpoint)
        checkpoint[KEY] = self.card.to_plain()
        checkpoint[SEED] = self.seed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the seed of a run that is resumed."""
        super().on_load_checkpoint(checkpoint)
        self.seed = checkpoint.get(SEED, self.seed)
