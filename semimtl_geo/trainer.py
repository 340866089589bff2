"""SemiMTL: Algorithm 1 as a LightningModule; the other systems are this one, set otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics import Metric

from semimtl_geo import alignment
from semimtl_geo.checkpoint import KEY, ModelCard
from semimtl_geo.networks.batchnorm import BatchNormMode
from semimtl_geo.networks.discriminator import SMALLEST_INPUT
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.optimisation import AdversarialWeights, Optimisation
from semimtl_geo.systems import SYSTEMS, SystemName
from semimtl_geo.tasks import Task
from tiles.errors import InputError

Labels = Mapping[str, Tensor]
Batch = Mapping[str, Labels]
"""``{domain: {"image": [B, C, H, W], task: [B, H, W], ...}}``; unsupervised labels are absent."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SemiMTL(lightning.LightningModule):
    """Generator, discriminators, and their training.

    Args:
        tasks: What is predicted.
        domains: Per domain, the names of the tasks whose labels may be used. The order of those
            that the system reads numbers them k = 1..K.
        system: Which of the paper's systems (:data:`semimtl_geo.systems.SYSTEMS`).
        encoder: The shared encoder.
        batchnorm: How BatchNorm meets the domains.
        adversarial: λ of the adversarial losses.
        optimisation: Optimisers and schedule.
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
        self.alignment = SYSTEMS[system].alignment
        self.tasks = [task for task in tasks if SYSTEMS[system].trains(task.kind)]
        names = {task.name for task in self.tasks}
        self.domains = [
            name
            for name, supervised in domains.items()
            if SYSTEMS[system].reads_unlabelled or names & set(supervised)
        ]
        self.labelled = {
            name: [k for k, domain in enumerate(self.domains) if name in domains[domain]]
            for name in names
        }
        _check_labels(system, tasks, domains, self.labelled)
        if self.alignment is not None and crop < SMALLEST_INPUT:
            raise InputError(
                f"crop of {crop} px", "too small for a discriminator", f"use {SMALLEST_INPUT} px"
            )
        self.batchnorm = batchnorm
        self.adversarial = adversarial
        self.optimisation = optimisation
        sources = 0
        if self.alignment is not None:
            sources = alignment.source_count(self.alignment, len(self.domains))
        self.card = ModelCard(
            system=system,
            tasks=tuple(self.tasks),
            domains=tuple(self.domains),
            batchnorm=batchnorm,
            encoder=encoder,
            decoder_width=decoder_width,
            bands=tuple(bands),
            mean=tuple(mean),
            std=tuple(std),
            gsd=gsd,
            crop=crop,
            discriminator_width=discriminator_width,
            sources=sources,
        )
        self.generator = self.card.build_generator()
        self.discriminators = nn.ModuleDict(self.card.build_discriminators())
        self.validation: dict[tuple[str, str], Metric] = {}

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Refuse labels that are none, while they are still on the CPU."""
        for domain, data in batch.items():
            for task in self.tasks:
                if task.name in data and (fault := task.check(data[task.name])):
                    raise InputError(
                        f"{task.name} of {domain}", fault, "correct the labels, or mark as nodata"
                    )
        return batch

    # --- Algorithm 1 ---------------------------------------------------------------------------

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One iteration of Algorithm 1.

        For each mini-batch (a domain; where BatchNorm mixes the domains, all of them at once), G is
        stepped with D frozen. Then each D is stepped, on ground truth and on the predictions that
        were made.

        A discriminator looks at each prediction once. Its answer serves both losses: the gradient
        of G's goes through it and stops short of D's weights, that of D's stops short of the
        prediction. D does not change in between, so nothing is lost by that.
        """
        generator_step, *discriminator_step = self._optimizers()
        discriminator_losses: list[Tensor] = []
        log: dict[str, Tensor] = {}
        mini_batches = self._mini_batches(batch)
        for number, mini_batch in enumerate(mini_batches, start=1):
            generator_losses: list[Tensor] = []
            for domain, outputs in self._predict(mini_batch):
                for task in self.tasks:
                    output, target = outputs[task.name], mini_batch[domain].get(task.name)
                    terms = f"{domain}/{task.name}"
                    if target is not None:
                        supervised = task.loss(output, target)
                        generator_losses.append(task.weight * supervised)
                        log[f"{terms}/supervised"] = supervised
                    if self.alignment is not None:
                        fooling, telling, parts = self._adversarial(task, domain, output, target)
                        generator_losses.append(fooling)
                        discriminator_losses.append(telling)
                        log |= {f"{terms}/{name}": value for name, value in parts.items()}
            self._step(
                generator_step,
                generator_losses,
                clip=self.optimisation.clip,
                counts=number == len(mini_batches),
            )
        for optimizer in discriminator_step:
            self._step(optimizer, discriminator_losses)
        self._schedule().step()
        self.log_dict({f"train/{name}": value.detach() for name, value in log.items()})

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

    def _adversarial(
        self, task: Task, domain: str, output: Tensor, target: Tensor | None
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """The adversarial terms of one task on one domain.

        Returns:
            λ times equation 3 (labelled) or one of 4 to 6 (unlabelled), for G; equation 2 of the
            prediction and of the ground truth if there is any, for D; and their parts.
        """
        assert self.alignment is not None  # noqa: S101 - for the type checker; the caller asks
        k = self.domains.index(domain)
        prediction = task.judged(output)
        seen = prediction.detach().requires_grad_()
        inputs, known = seen, None
        if target is not None:
            truth, known = task.judged_truth(target, seen.detach())
            inputs = torch.cat([seen, truth])
        answers = self.discriminators[task.name](inputs)
        answer = answers[: len(seen)]

        if target is not None:
            kind, weight = "intra", self.adversarial.intra
            fooling = alignment.intra_loss(answer)
        else:
            kind, weight = "inter", self.adversarial.inter
            fooling = alignment.inter_loss(answer, self.alignment, k, self.labelled[task.name])
        weight *= task.adversary
        (gradient,) = torch.autograd.grad(weight * fooling, seen, retain_graph=True)
        # A scalar whose gradient with respect to G is that of `weight * fooling`.
        for_generator = (prediction * gradient).sum()

        source = alignment.source_of(self.alignment, k)
        telling = alignment.discriminator_loss(answer, source)
        parts = {kind: fooling, "discriminator/prediction": telling}
        if target is not None:
            of_truth = alignment.discriminator_loss(
                answers[len(seen) :], alignment.GROUND_TRUTH, known
            )
            parts["discriminator/truth"] = of_truth
            telling = telling + of_truth
        return for_generator, telling, parts

    def _step(
        self,
        optimizer: LightningOptimizer,
        losses: list[Tensor],
        clip: float | None = None,
        counts: bool = False,
    ) -> None:
        optimizer.zero_grad()
        self.manual_backward(torch.stack(losses).sum())
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
        generator = self.optimisation.of_generator(self.generator.parameters())
        iterations = self.trainer.estimated_stepping_batches
        if iterations == float("inf"):
            raise InputError(
                "trainer", "the run has no end", "give max_steps or max_epochs, for the schedule"
            )
        schedule = self.optimisation.schedule(generator, int(iterations))
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
                if task.name in data:
                    scores = self.validation.setdefault(
                        (domain, task.name), task.scores().to(self.device)
                    )
                    decision = task.decide(task.estimate(outputs[task.name]))
                    scores.update(decision, data[task.name])

    def on_validation_epoch_end(self) -> None:
        """Log ``val/<domain>/<task>/<score>``."""
        for (domain, task), scores in self.validation.items():
            for name, value in scores.compute().items():
                self.log(f"val/{domain}/{task}/{name}", value.float())
        self.validation.clear()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the model card, which is all that mapping needs besides the weights."""
        checkpoint[KEY] = self.card.to_plain()


def _check_labels(
    system: str,
    tasks: Sequence[Task],
    domains: Mapping[str, Sequence[str]],
    labelled: Mapping[str, Sequence[int]],
) -> None:
    known = sorted(task.name for task in tasks)
    for domain, supervised in domains.items():
        for name in supervised:
            if name not in known:
                raise InputError(f"domain {domain}", f"no task is called {name}", f"use {known}")
    if not labelled:
        raise InputError(f"system {system}", "no task is of its kind", "choose another system")
    for name, where in labelled.items():
        if not where:
            raise InputError(
                f"task {name}", "no domain has labels for it", "supervise it somewhere, or drop it"
            )
