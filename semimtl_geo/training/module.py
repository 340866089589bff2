"""SemiMTL: Algorithm 1 as a LightningModule; the other systems are this one, set otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric

from semimtl_geo.learning.adversarial import AdversarialWeights, Adversary, Confusion, source_count
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.distributed import (
    average_gradients,
    average_statistics,
    reseed,
    without_reducer,
)
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.learning.systems import SYSTEMS, SystemName, supervise
from semimtl_geo.networks.batchnorm import BatchNormMode, loses_by_sync
from semimtl_geo.networks.checkpoint import KEY, ModelCard
from semimtl_geo.networks.discriminator import SMALLEST_INPUT
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Task
from tiles.errors import InputError

Labels = Mapping[str, Tensor]
Batch = Mapping[str, Labels]
"""``{domain: {"image": [B, C, H, W], task: [B, H, W], ...}}``; unsupervised labels are absent."""

STEPPED = ("generator", "discriminators")
"""What the optimisers step, in their order."""

SEED = "semimtl_geo_seed"
"""Where a checkpoint keeps the seed of the run."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def logs_now(trainer: lightning.Trainer) -> bool:
    """Whether an iteration that has stepped is one that Lightning logs; the others need not."""
    rhythm = int(trainer.log_every_n_steps)  # type: ignore[attr-defined]  # set without a type
    return rhythm > 0 and trainer.global_step % rhythm == 0


class SemiMTL(lightning.LightningModule):
    """Generator, discriminators, and their training.

    Args:
        tasks: What is predicted.
        domains: Per domain, the names of the tasks whose labels may be used. The order of those
            that the system reads numbers them k = 1..K.
        system: Which of the paper's systems (:data:`semimtl_geo.learning.systems.SYSTEMS`).
        encoder: The shared encoder.
        batchnorm: How BatchNorm meets the domains.
        adversarial: λ of the adversarial losses.
        optimisation: Optimisers and schedule.
        consistency: A prior on the heights of classes, and what it weighs; None for none.
        decoder_width: Channels inside the decoders.
        discriminator_width: Channels of a discriminator's first layer.
        bands: Names of the image's bands.
        gsd: Ground sampling distance in metres; None for images without a ground.
        crop: Edge of a training crop in pixels: what the network is used to see at once.
        mean: Of images in 0..1, per band.
        std: Of images in 0..1, per band.

    Raises:
        InputError: If tasks, domains and system do not fit together.
    """

    def __init__(
        self,
        tasks: list[Task],
        domains: dict[str, list[str]],
        system: SystemName = "semimtl",
        encoder: Encoder = Encoder(),
        batchnorm: BatchNormMode = "per_domain",
        adversarial: AdversarialWeights = AdversarialWeights(),
        optimisation: Optimisation = Optimisation(),
        consistency: Consistency | None = None,
        decoder_width: int = 512,
        discriminator_width: int = 64,
        bands: Sequence[str] = ("NIR", "red", "green"),
        gsd: float | None = None,
        crop: int = 384,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        supervision = supervise(system, tasks, domains)
        self.tasks = list(supervision.tasks)
        self.domains = list(supervision.domains)
        alignment = SYSTEMS[system].alignment
        self.adversary = None
        if alignment is not None:
            if crop < SMALLEST_INPUT:
                fault, remedy = "too small for a discriminator", f"use {SMALLEST_INPUT} px"
                raise InputError(f"crop of {crop} px", fault, remedy)
            self.adversary = Adversary(
                alignment, adversarial, supervision.domains, supervision.labelled
            )
        self.batchnorm = batchnorm
        self.optimisation = optimisation
        self.card = ModelCard(
            system=system,
            tasks=supervision.tasks,
            domains=supervision.domains,
            batchnorm=batchnorm,
            encoder=encoder,
            decoder_width=decoder_width,
            bands=tuple(bands),
            mean=tuple(mean),
            std=tuple(std),
            gsd=gsd,
            crop=crop,
            discriminator_width=discriminator_width,
            sources=0 if alignment is None else source_count(alignment, len(self.domains)),
        )
        self.generator = self.card.build_generator()
        self.discriminators = nn.ModuleDict(self.card.build_discriminators())
        self.consistency = consistency.build(self.tasks) if consistency else None
        self.unsyncable = loses_by_sync(self.generator)
        self.validation: dict[tuple[str, str], Metric] = {}
        self.seed: int | None = None

    def on_fit_start(self) -> None:
        """Settle the seed of all iterations: that of a run that is continued, or the global one."""
        if self.unsyncable and any(isinstance(m, nn.SyncBatchNorm) for m in self.modules()):
            fault = "would drop the activations in the encoder's BatchNorm layers"
            raise InputError("trainer.sync_batchnorm", fault, "leave it out, or take a ResNet")
        if self.seed is None:
            self.seed = self.trainer.strategy.broadcast(torch.initial_seed())

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Refuse labels that are none, while they are still on the CPU.

        All random numbers of an iteration come after this: augmentation, and dropout.
        """
        for domain, data in batch.items():
            for task in self.tasks:
                if task.label in data and (fault := task.check(data[task.label])):
                    raise InputError(
                        f"{task.label} of {domain}", fault, "correct the labels, or mark as nodata"
                    )
        if self.trainer.training and self.seed is not None:
            reseed(self.seed, self.trainer.global_step, self.trainer.global_rank)
        return batch

    # --- Algorithm 1 ---------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One iteration of Algorithm 1.

        For each mini-batch (a domain; where BatchNorm mixes the domains, all of them at once), G is
        stepped with D frozen. Then each D is stepped, on ground truth and on the predictions that
        were made. Both look at the same answers of D, see :meth:`Adversary.judge`.
        """
        # Cached: D's weights change at the end, so that one power iteration of their spectral norms
        # will do (Miyato et al., ICLR 2018, algorithm 1).
        with without_reducer(self.trainer.strategy.model), parametrize.cached():
            log: dict[str, Tensor | float] = {**self._iterate(batch)}
        for name, optimizer in zip(STEPPED, self._optimizers(), strict=False):
            log[f"lr/{name}"] = optimizer.param_groups[0]["lr"]
        self._schedule().step()
        if logs_now(self.trainer):
            self.log_dict(log)

    def _iterate(self, batch: Batch) -> dict[str, Tensor]:
        """Step G and D; returns every loss term, and how D confused its sources."""
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
                    terms = f"train/{domain}/{task.name}"
                    if target is not None:
                        supervised = task.loss(output, target)
                        generator_losses.append(task.weight * supervised)
                        log[f"{terms}/supervised"] = supervised
                    if self.adversary is not None:
                        discriminator = self.discriminators[task.name]
                        verdict = self.adversary.judge(task, discriminator, k, output, target)
                        generator_losses.append(verdict.fooling)
                        discriminator_losses.append(verdict.telling)
                        log |= {f"{terms}/{name}": value for name, value in verdict.parts.items()}
                        confusion.add(task.name, verdict.taken)
                if self.consistency is not None and (
                    found := self.consistency(outputs, mini_batch[domain])
                ):
                    taught, loss = found
                    generator_losses.append(taught.weight * self.consistency.prior.weight * loss)
                    log[f"train/{domain}/{taught.name}/consistency"] = loss
            self._step(
                generator_step,
                generator_losses,
                clip=self.optimisation.clip,
                counts=number == len(mini_batches),
            )
        for optimizer in discriminator_step:
            self._step(optimizer, discriminator_losses)
        average_statistics(self.generator)
        return {name: value.detach() for name, value in log.items()} | confusion.shares()

    def _mini_batches(self, batch: Batch) -> list[Batch]:
        """What is forwarded together."""
        if self.batchnorm == "mixed":
            return [batch]
        return [{domain: data} for domain, data in batch.items()]

    def _predict(self, mini_batch: Batch) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """Forward all tasks, also those without a loss: their decoders' statistics need it."""
        self.generator.use_domain(self.domains.index(next(iter(mini_batch))))
        images = [data["image"] for data in mini_batch.values()]
        outputs = self.generator(torch.cat(images))
        sizes = [len(image) for image in images]
        parts = {name: output.split(sizes) for name, output in outputs.items()}
        for i, domain in enumerate(mini_batch):
            yield domain, {name: split[i] for name, split in parts.items()}

    def _step(
        self,
        optimizer: LightningOptimizer,
        losses: list[Tensor],
        clip: float | None = None,
        counts: bool = False,
    ) -> None:
        optimizer.zero_grad()
        weights = [weight for group in optimizer.param_groups for weight in group["params"]]
        self.manual_backward(torch.stack(losses).sum(), inputs=weights)
        average_gradients(optimizer.optimizer)
        if clip is not None:
            self.clip_gradients(optimizer.optimizer, clip, "norm")
        # Lightning counts every step that is made through it, and takes the count for the number of
        # iterations (max_steps, checkpoints, logs): one step of an iteration goes through it.
        if counts:
            optimizer.step()
        else:
            optimizer.optimizer.step()

    def _schedule(self) -> LRScheduler:
        schedule = self.lr_schedulers()
        assert isinstance(schedule, LRScheduler)  # noqa: S101 - configure_optimizers makes one
        return schedule

    def _optimizers(self) -> list[LightningOptimizer]:
        optimizers = self.optimizers()
        return optimizers if isinstance(optimizers, list) else [optimizers]

    def configure_optimizers(self) -> tuple[list[Optimizer], list[LRScheduler]]:
        """One optimiser for G, and one for all D where the system has any (section 4.1)."""
        if self.trainer.precision == "16-mixed":
            # Its loss scaling reaches an optimiser only by Lightning's step, see _step.
            raise InputError("precision 16-mixed", "is not supported", "use bf16-mixed")
        if self.trainer.max_epochs == -1 and self.trainer.max_steps == -1:
            raise InputError(
                "trainer", "the run has no end", "give max_steps or max_epochs, for the schedule"
            )
        generator = self.optimisation.of_generator(self.generator.parameters())
        # Asked for when it is needed: asked now, Lightning would begin to draw chips before it
        # knows where a resumed run goes on.
        schedule = self.optimisation.schedule(
            generator, lambda: int(self.trainer.estimated_stepping_batches)
        )
        if not len(self.discriminators):
            return [generator], [schedule]
        discriminators = self.optimisation.of_discriminators(self.discriminators.parameters())
        return [generator, discriminators], [schedule]

    # --- Validation, on the labels that may be used --------------------------------------------

    def validation_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Score the supervised tasks of one domain's validation chips."""
        for domain, data in batch.items():
            self.generator.use_domain(self.domains.index(domain))
            outputs = self.generator(data["image"])
            for task in self.tasks:
                if task.label in data:
                    scores = self.validation.setdefault(
                        (domain, task.name), task.scores().to(self.device)
                    )
                    decision = task.decide(task.estimate(outputs[task.name]))
                    scores.update(decision, task.target(data[task.label]))

    def on_validation_epoch_end(self) -> None:
        """Log ``val/<domain>/<task>/<score>``."""
        for (domain, task), scores in self.validation.items():
            for name, value in scores.compute().items():
                self.log(f"val/{domain}/{task}/{name}", value.float())
        self.validation.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model card, which is all that mapping needs besides the weights, and the seed."""
        checkpoint[KEY] = self.card.to_plain()
        checkpoint[SEED] = self.seed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A run that is continued keeps its seed."""
        self.seed = checkpoint.get(SEED)
