"""One iteration against Algorithm 1, written out here with plain autograd and no Lightning."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import lightning
import pytest
import torch
import torch.nn.functional as F
from lightning.pytorch.plugins.precision import MixedPrecision
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import DataLoader

from semimtl_geo.data import Domain, DomainsDataModule
from semimtl_geo.learning.adversarial import AdversarialSettings
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.optimisation import Optimisation
from semimtl_geo.networks.batchnorm import DomainBatchNorm
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.tasks import Depth, Segmentation, Slope, Task
from semimtl_geo.training.module import SemiMTL
from tests.semimtl_geo.conftest import TINY, Batch, make_batch, make_tasks
from tiles.errors import InputError

TWO = {"a": ["landcover"], "b": ["height"]}
THREE = {"a": ["landcover"], "b": ["height"], "c": []}
DECAY = 0.1
"""Weight decay that shows in one iteration."""
CLIPPED = Optimisation(clip=0.1)
PATTERN = {"a": ["landcover", "height"], "b": ["height"], "c": []}


class FreezePowerIteration(lightning.Callback):
    """Spectral norm changes its vectors at every forward pass in training mode, so that the number
    of passes would show. Nothing else in a discriminator depends on the mode."""

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        pl_module.discriminators.eval()


def fit(
    model: SemiMTL,
    batch: Batch,
    steps: int = 1,
    extra: Sequence[lightning.Callback] = (),
    **settings: Any,
) -> lightning.Trainer:
    trainer = lightning.Trainer(
        max_steps=steps,
        accelerator=settings.pop("accelerator", "cpu"),
        logger=False,
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[FreezePowerIteration(), *extra],
        **settings,
    )
    loader: DataLoader[Any] = DataLoader([batch] * steps, batch_size=None)
    trainer.fit(model, loader)
    return trainer


def berhu(prediction: Tensor, target: Tensor) -> Tensor:
    error = (prediction - target)[~target.isnan()].abs()
    c = (error.max() / 5).item()
    return torch.where(error <= c, error, (error * error + c * c) / (2 * c)).mean()


def algorithm_1(
    model: SemiMTL,
    batch: Batch,
    mode: str,
    lr: float,
    discriminator_lr: float,
    intra: float,
    inter: float,
) -> tuple[nn.Module, dict[str, Tensor]]:
    """The paper's lines, one by one. Returns the model after one iteration, and the losses."""
    losses: dict[str, Tensor] = {}
    model = copy.deepcopy(model).train()
    model.discriminators.eval()
    names = list(batch)
    sgd = torch.optim.SGD(model.generator.parameters(), lr, momentum=0.9, weight_decay=DECAY)
    discriminators = list(model.discriminators.parameters()) or [
        nn.Parameter(torch.zeros(1))
    ]  # of JTL
    adam = torch.optim.Adam(discriminators, discriminator_lr, betas=(0.9, 0.99))
    labelled = {
        task: [i for i, name in enumerate(names) if task in batch[name]]
        for task in ("landcover", "height")
    }
    kept: list[tuple[str, str, int, Tensor, Tensor | None, Tensor | None]] = []
    groups = [names] if model.batchnorm == "mixed" else [[name] for name in names]
    for group in groups:
        model.generator.use_domain(names.index(group[0]))
        together = model.generator(torch.cat([batch[name]["image"] for name in group]))
        if group is groups[0] or not model.optimisation.synchronous:
            total = torch.zeros(())
        for number, name in enumerate(group):
            k = 1 if mode == "binary" else names.index(name) + 1
            size = len(batch[name]["image"])
            outputs = {t: out[number * size :][:size] for t, out in together.items()}
            for task, weight, adversary in (("landcover", 1.0, 1.0), ("height", 0.5, 0.7)):
                if task not in outputs:
                    continue
                truth = batch[name].get(task)
                shown = torch.softmax(outputs[task], 1)
                if task == "height":
                    shown = 3.0 * outputs[task]
                if mode != "jtl":
                    probability = torch.softmax(model.discriminators[task](shown), 1)
                terms = f"train/{name}/{task}"
                if mode == "adaptsegnet":
                    k = int(truth is None)
                if truth is not None:
                    if task == "landcover":
                        known = truth != 255
                        picked = F.log_softmax(outputs[task], 1).movedim(1, -1)[known]
                        supervised = -picked.gather(1, truth[known][:, None]).mean()
                        label = F.one_hot(torch.where(known, truth, 0), 3).movedim(-1, 1).float()
                    else:
                        known = ~truth.isnan()
                        supervised = berhu(outputs[task][:, 0], truth / 10)
                        label = 3.0 * truth[:, None] / 10
                    total = total + weight * supervised  # (1)
                    losses[f"{terms}/supervised"] = supervised
                    if mode == "jtl":
                        continue
                    if mode == "adaptsegnet":
                        kept.append((terms, task, k, shown.detach(), None, None))
                        continue
                    label = torch.where(known[:, None], label, shown.detach())
                    fooling = -probability[:, 0].log().mean()  # (3)
                    total = total + adversary * intra * fooling  # (7), (8)
                    losses[f"{terms}/intra"] = fooling
                    kept.append((terms, task, k, shown.detach(), label, known))
                elif mode != "jtl":
                    if mode == "m1":  # (4)
                        p = probability[:, [j + 1 for j in labelled[task]]].sum(1)
                    elif mode == "m3":  # (6)
                        p = 1 - probability[:, k]
                    else:  # (5)
                        p = probability[:, 0]
                    losses[f"{terms}/inter"] = -p.log().mean()
                    total = total + adversary * inter * losses[f"{terms}/inter"]  # (7), (8)
                    kept.append((terms, task, k, shown.detach(), None, None))
        if group is groups[-1] or not model.optimisation.synchronous:
            sgd.zero_grad()
            total.backward()
            sgd.step()
    adam.zero_grad()
    for terms, task, k, shown, label, known in kept:  # (2), (9)
        discriminator = model.discriminators[task]
        of_prediction = -torch.softmax(discriminator(shown), 1)[:, k].log().mean()
        of_prediction.backward()
        losses[f"{terms}/discriminator/prediction"] = of_prediction
        if label is not None and known is not None:
            of_truth = -torch.softmax(discriminator(label), 1)[:, 0][known].log().mean()
            of_truth.backward()
            losses[f"{terms}/discriminator/truth"] = of_truth
    adam.step()
    return model, losses


# The loops over domains are the same in all systems; what differs by system does so with three.
WITH_ALL_DOMAINS = [
    ("semimtl_m1", "m1", "per_domain", False),
    ("semimtl_m3", "m3", "per_domain", False),
    ("jtl", "jtl", "per_domain", False),
    ("semimtl", "m2", "per_domain", True),
]
WITH_THREE = [
    ("semimtl", "m2", "per_domain", False),
    ("semimtl", "m2", "alternating", False),
    ("semimtl", "m2", "mixed", False),
    ("semisd", "binary", "per_domain", False),
    ("da_seg", "adaptsegnet", "per_domain", False),
    ("da_depth", "adaptsegnet", "mixed", False),
    ("jtl", "jtl", "mixed", False),
    ("jtl", "jtl", "per_domain", True),
]


@pytest.mark.parametrize(
    ("system", "mode", "batchnorm", "synchronous", "domains"),
    [
        *((*case, domains) for case in WITH_ALL_DOMAINS for domains in (TWO, THREE, PATTERN)),
        *((*case, THREE) for case in WITH_THREE),
    ],
)
def test_training_step_is_algorithm_1(
    make_model: Callable[..., SemiMTL],
    system: str,
    mode: str,
    batchnorm: str,
    synchronous: bool,
    domains: dict[str, list[str]],
) -> None:
    # Learning rates and lambdas at which every term leaves a trace far above the tolerance.
    lr, discriminator_lr, intra, inter = 0.1, 0.01, 0.5, 0.3
    model = make_model(
        system=system,
        domains=domains,
        batchnorm=batchnorm,
        adversarial=AdversarialSettings(intra, inter),
        optimisation=Optimisation(
            lr=lr,
            weight_decay=DECAY,
            discriminator_lr=discriminator_lr,
            synchronous=synchronous,
        ),
    )
    for layer in model.modules():  # random masks would need the same draws
        if isinstance(layer, nn.Dropout2d):
            layer.p = 0.0
    batch = {name: data for name, data in make_batch(domains).items() if name in model.domains}
    before = copy.deepcopy(model)
    expected, losses = algorithm_1(model, batch, mode, lr, discriminator_lr, intra, inter)
    logged = fit(model, batch).logged_metrics

    for term, loss in losses.items():
        assert logged[term].item() == pytest.approx(loss.item(), rel=1e-5, abs=1e-5), term
    for (name, got), want, old in zip(
        model.named_parameters(), expected.parameters(), before.parameters(), strict=True
    ):
        # Without a loss on the last domain a decoder has no gradient, not one of 0: with that it
        # would be decayed.
        assert (got.grad is None) == (want.grad is None)
        if got.grad is not None and want.grad is not None:
            assert torch.allclose(got.grad, want.grad, rtol=1e-4, atol=1e-5), name
        # Adam's first step is the sign of the gradient, so that weights say less than gradients.
        if name.startswith("generator"):
            assert torch.allclose(got, want, rtol=1e-4, atol=1e-5), name
        # Residual branches begin as 0: one step, of all domains together, does not reach into them.
        if want.grad is not None and want.grad.any():
            assert not torch.equal(got, old), f"{name} was not trained"


def test_an_iteration_counts_once(make_model: Callable[..., SemiMTL]) -> None:
    model = make_model()
    trainer = fit(model, make_batch(TWO), steps=3)
    assert trainer.global_step == 3
    # The polynomial has arrived at zero.
    assert trainer.optimizers[0].param_groups[0]["lr"] == 0.0


def test_d_is_frozen_while_g_is_stepped(make_model: Callable[..., SemiMTL]) -> None:
    model = make_model(optimisation=Optimisation(discriminator_lr=0.0))
    old = copy.deepcopy(model.discriminators.state_dict())
    fit(model, make_batch(TWO))
    new = model.discriminators.state_dict()
    assert all(torch.equal(old[key], new[key]) for key in old)


def test_jtl_is_semimtl_without_adversary(make_model: Callable[..., SemiMTL]) -> None:
    batch = make_batch(TWO)
    jtl = make_model(system="jtl")
    semimtl = make_model(adversarial=AdversarialSettings(0.0, 0.0))
    semimtl.generator.load_state_dict(jtl.generator.state_dict())
    for model in (jtl, semimtl):
        torch.manual_seed(0)
        for layer in model.modules():
            if isinstance(layer, nn.Dropout2d):
                layer.p = 0.0
        fit(model, batch)
    assert not jtl.discriminators
    for (name, a), b in zip(
        jtl.generator.named_parameters(), semimtl.generator.parameters(), strict=True
    ):
        # Weight decay reaches the unlabelled decoder only where it has a gradient, if one of zero.
        if not name.startswith("decoders"):
            assert torch.allclose(a, b, atol=1e-6), name


@pytest.mark.parametrize("batchnorm", ["per_domain", "alternating", "mixed"])
def test_batchnorm_modes(make_model: Callable[..., SemiMTL], batchnorm: str) -> None:
    """Statistics after one iteration follow from the means of what the first layer saw."""
    model = make_model(system="jtl", batchnorm=batchnorm, optimisation=Optimisation(lr=0.0))
    batch = make_batch(TWO)
    batch["b"]["image"] = batch["b"]["image"] * 0.2
    seen: list[Tensor] = []
    convolution = next(m for m in model.generator.modules() if isinstance(m, nn.Conv2d))
    convolution.register_forward_hook(lambda _m, _i, output: seen.append(output.detach()))
    fit(model, batch)
    means = [s.mean((0, 2, 3)) for s in seen]
    state = model.generator.state_dict()
    keys = [key for key in state if key.endswith("running_mean")]
    if batchnorm == "per_domain":
        assert torch.allclose(state[keys[0]], 0.1 * means[0], atol=1e-6)
        assert torch.allclose(state[keys[1]], 0.1 * means[1], atol=1e-6)
        assert not torch.allclose(means[0], means[1], atol=1e-3)
    elif batchnorm == "alternating":
        assert torch.allclose(state[keys[0]], 0.09 * means[0] + 0.1 * means[1], atol=1e-6)
    else:
        assert len(seen) == 1
        assert len(seen[0]) == 4
        assert torch.allclose(state[keys[0]], 0.1 * means[0], atol=1e-6)


def test_max_steps_count_iterations_over_epochs(make_model: Callable[..., SemiMTL]) -> None:
    model = make_model(domains=THREE)
    trainer = fit(model, make_batch(THREE), steps=2, limit_train_batches=1, max_epochs=5)
    assert (trainer.global_step, trainer.current_epoch) == (2, 2)


def test_every_term_is_logged(make_model: Callable[..., SemiMTL]) -> None:
    model = make_model()
    logged = fit(model, make_batch(TWO)).logged_metrics
    terms = {
        f"train/{domain}/{task}/{term}"
        for domain, supervised in TWO.items()
        for task in ("landcover", "height")
        for term in (
            ("supervised", "intra", "discriminator/prediction", "discriminator/truth")
            if task in supervised
            else ("inter", "discriminator/prediction", "variety")
        )
    }
    sources = ("truth", "a", "b")
    confusion = {
        f"confusion/{task}/{one} as {other}"
        for task in ("landcover", "height")
        for one in sources
        for other in sources
    }
    assert set(logged) == terms | confusion | {"lr/generator", "lr/discriminators"}
    assert logged["lr/generator"] == 0.01
    for task in ("landcover", "height"):
        for one in sources:
            assert sum(logged[f"confusion/{task}/{one} as {s}"] for s in sources) == 1


def test_the_confusion_of_a_discriminator(make_model: Callable[..., SemiMTL]) -> None:
    """It is counted by hand, of truth and of predictions, over the known pixels."""
    model = make_model()
    batch = make_batch(TWO)
    answers: list[Tensor] = []
    model.discriminators["landcover"].register_forward_hook(
        lambda _m, _i, output: answers.append(output.detach())
    )
    logged = fit(model, batch).logged_metrics
    of_a, of_truth, of_b = answers
    known = batch["a"]["landcover"] != 255
    seen = {
        "a": of_a.argmax(1).flatten(),
        "truth": of_truth.argmax(1)[known],
        "b": of_b.argmax(1).flatten(),
    }
    for source, said in seen.items():
        for number, name in enumerate(("truth", "a", "b")):
            share = (said == number).float().mean().item()
            got = logged[f"confusion/landcover/{source} as {name}"].item()
            assert got == pytest.approx(share, abs=1e-6)


def test_an_iteration_is_one_power_iteration(
    make_model: Callable[..., SemiMTL], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one however often a discriminator looks (Miyato et al., ICLR 2018, algorithm 1)."""
    monkeypatch.setattr(FreezePowerIteration, "on_train_batch_start", lambda *_args: None)
    model = make_model()
    layers = "discriminators.landcover.layers.2.parametrizations.weight"
    old = {name: value.clone() for name, value in model.state_dict().items()}
    fit(model, make_batch(TWO))
    weight = old[f"{layers}.original"].flatten(1)
    u = F.normalize(weight @ old[f"{layers}.0._v"], dim=0)
    v = F.normalize(weight.T @ u, dim=0)
    new = model.state_dict()
    assert not torch.equal(new[f"{layers}.original"], old[f"{layers}.original"])
    torch.testing.assert_close(new[f"{layers}.0._u"], u)
    torch.testing.assert_close(new[f"{layers}.0._v"], v)


class Reads(TorchDispatchMode):
    """Records what Python reads of tensors: on a GPU it waits for all that was begun."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        masks = func is torch.ops.aten.index.Tensor and any(
            index is not None and index.dtype == torch.bool for index in args[1]
        )
        reading = (torch.ops.aten._local_scalar_dense.default, torch.ops.aten.nonzero.default)
        if masks or func in reading:
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("system", ["semimtl", "jtl"])
def test_an_iteration_waits_for_no_number(
    make_model: Callable[..., SemiMTL], monkeypatch: pytest.MonkeyPatch, system: str
) -> None:
    # They read their own counters, which are on the CPU.
    for optimizer in (torch.optim.Adam, torch.optim.SGD):
        monkeypatch.setattr(optimizer, "step", lambda self, closure=None: None)
    reads = Reads()
    heights = {"ground": (0.0, 0.0), "building": (2.0, torch.inf)}
    model = make_model(system=system, domains=PATTERN, consistency=Consistency(heights))
    iterate = model._iterate

    def watched(batch: Batch) -> dict[str, Tensor]:
        with reads:
            return iterate(batch)

    monkeypatch.setattr(model, "_iterate", watched)
    batch = make_batch(PATTERN)
    fit(model, {name: batch[name] for name in model.domains})
    assert reads.found == []
    with reads:
        assert torch.ones(2)[torch.tensor([True, False])].item() == 1
    assert len(reads.found) == 2


def test_a_third_task_learns_from_the_labels_of_another(make_model: Callable[..., SemiMTL]) -> None:
    tasks = [*make_tasks(), Slope("slope", 0.5, gsd=0.5)]
    model = make_model(tasks=tasks, domains=PATTERN)
    old = copy.deepcopy(model)
    logged = fit(model, make_batch(PATTERN)).logged_metrics
    assert {"train/a/slope/supervised", "train/b/slope/intra", "train/c/slope/inter"} <= set(logged)
    for (name, now), before in zip(model.named_parameters(), old.parameters(), strict=True):
        assert not torch.equal(now, before), name


@pytest.mark.parametrize(
    ("system", "trained", "read"),
    [
        ("stl_seg", ["landcover"], ["a"]),
        ("stl_depth", ["height"], ["b"]),
        ("da_seg", ["landcover"], ["a", "b"]),
        ("da_depth", ["height"], ["a", "b"]),
        ("jtl", ["landcover", "height"], ["a", "b"]),
        ("semisd", ["landcover", "height"], ["a", "b"]),
    ],
)
def test_what_a_system_trains_and_reads(
    make_model: Callable[..., SemiMTL], system: str, trained: list[str], read: list[str]
) -> None:
    model = make_model(system=system)
    assert [task.name for task in model.tasks] == trained
    assert model.domains == read


def test_labels_that_are_none_are_refused(make_model: Callable[..., SemiMTL]) -> None:
    batch = make_batch(TWO)
    batch["a"]["landcover"][0, 0, 0] = 3
    with pytest.raises(InputError, match="landcover of a: has the value 3, but classes are 0 to 2"):
        fit(make_model(), batch)


def test_a_crop_too_small_for_a_discriminator(make_model: Callable[..., SemiMTL]) -> None:
    make_model(system="jtl", crop=16)
    with pytest.raises(
        InputError, match=r"data\.crop: must be >= \d+ px for the discriminators, got 16"
    ):
        make_model(crop=16)


def test_the_card_describes_the_network_that_was_asked_for() -> None:
    encoder = Encoder("mobilenet_v2", "imagenet", output_stride=16)
    asked: dict[str, Any] = {
        "system": "semimtl_m1",
        "batchnorm": "mixed",
        "decoder_width": 24,
        "discriminator_width": 6,
        "bands": ("red", "green", "blue", "NIR"),
        "gsd": 0.3,
        "crop": 96,
        "pooling": "crop",
        "mean": (0.1, 0.2, 0.3, 0.4),
        "std": (0.5, 0.6, 0.7, 0.8),
    }
    adversarial = AdversarialSettings(stride=2)
    model = SemiMTL(make_tasks(), TWO, encoder=encoder, adversarial=adversarial, **asked)
    assert {name: getattr(model.card, name) for name in asked} == asked
    assert model.card.encoder == encoder
    assert model.card.discriminator_stride == 2
    assert model.adversarial is adversarial
    images = torch.rand(1, 4, 96, 96)
    assert model.eval().generator(images)["landcover"].shape == (1, 3, 96, 96)


def test_the_papers_sizes_are_the_defaults() -> None:
    model = SemiMTL(make_tasks(), TWO, encoder=TINY)
    assert (model.card.crop, model.card.decoder_width) == (384, 512)
    first = next(m for m in model.discriminators["height"].modules() if isinstance(m, nn.Conv2d))
    assert first.out_channels == 64


def test_a_model_for_data_has_its_sizes_and_mean() -> None:
    domains = {"a": Domain(["landcover"]), "b": Domain(["height"])}
    fill = (0.2, 0.3, 0.4)
    data = DomainsDataModule("data", domains, gsd=0.27, crop=96, fill=fill)
    model = SemiMTL.for_data(data, make_tasks(), "jtl", encoder=TINY, decoder_width=16)
    card = model.card
    assert (card.gsd, card.crop, card.mean, card.system) == (0.27, 96, fill, "jtl")
    assert (model.domains, [task.name for task in model.tasks]) == (
        ["a", "b"],
        ["landcover", "height"],
    )
    tasks = SemiMTL.for_data(data, encoder=TINY, decoder_width=16).tasks
    assert [type(task) for task in tasks] == [Segmentation, Depth]


def scaled(scale: float) -> Any:
    """Return Lightning's plugin for ``16-mixed`` with a scaler, computing in float32."""
    plugin = MixedPrecision("16-mixed", "cpu", torch.amp.GradScaler("cpu", init_scale=scale))
    plugin.forward_context = nullcontext  # type: ignore[method-assign, assignment]
    return plugin


def test_scaling_by_a_power_of_two_changes_no_bit(make_model: Callable[..., SemiMTL]) -> None:
    plain = make_model(optimisation=CLIPPED)
    fit(plain, make_batch(TWO), 3)
    model = make_model(optimisation=CLIPPED)  # which seeds its iterations anew
    trainer = fit(model, make_batch(TWO), 3, plugins=[scaled(2.0**10)])
    assert trainer.global_step == 3
    assert model.scaler.get_scale() == 2.0**10
    for (name, now), other in zip(model.named_parameters(), plain.parameters(), strict=True):
        assert torch.equal(now, other), name


@pytest.mark.parametrize("clip", [0.1, 0.01])
def test_a_clipped_step_is_as_long_as_the_clip(
    make_model: Callable[..., SemiMTL], clip: float
) -> None:
    """It is one of gradient descent at a rate of 0.5, on gradients longer than the clip."""
    settings = Optimisation(lr=0.5, weight_decay=0.0, clip=clip, synchronous=True)
    model = make_model(optimisation=settings)
    before = flat(model.generator)
    fit(model, make_batch(TWO))
    assert (flat(model.generator) - before).norm().item() == pytest.approx(0.5 * clip, rel=1e-3)


def test_a_step_that_overflows_is_left_out_and_counted(
    make_model: Callable[..., SemiMTL],
) -> None:
    tasks: list[Task] = [replace(task, weight=1e9) for task in make_tasks()]
    model = make_model(tasks=tasks)
    old = copy.deepcopy(model)
    trainer = fit(model, make_batch(TWO), plugins=[scaled(2.0**120)])
    assert trainer.global_step == 1
    assert model.scaler.get_scale() == 2.0**118  # G left out two steps, a domain each; D none
    for (name, now), before in zip(model.named_parameters(), old.parameters(), strict=True):
        assert torch.equal(now, before) == name.startswith("generator"), name


def test_a_resumed_run_goes_on_with_its_loss_scale(make_model: Callable[..., SemiMTL]) -> None:
    model = make_model()
    trainer = fit(model, make_batch(TWO), plugins=[scaled(2.0**10)])
    checkpoint: dict[str, Any] = {}
    model.on_save_checkpoint(checkpoint)
    resumed = make_model()
    resumed.trainer = trainer
    trainer.precision_plugin.scaler = torch.amp.GradScaler("cpu")  # type: ignore[attr-defined]
    resumed.setup("fit")
    resumed.on_load_checkpoint(checkpoint)
    assert resumed.scaler.get_scale() == 2.0**10


def flat(model: nn.Module) -> Tensor:
    return torch.cat([weight.detach().cpu().flatten() for weight in model.parameters()])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("precision", ["16-mixed", "bf16-mixed", "32-true"])
def test_a_gpu_trains_in_every_precision(
    make_model: Callable[..., SemiMTL], precision: str
) -> None:
    tracks: list[Tensor] = []
    for settings in ({"accelerator": "gpu", "precision": precision}, {"accelerator": "cpu"}):
        model = make_model()
        before = flat(model)
        fit(model, make_batch(TWO), 5, devices=1, **settings)
        tracks.append(flat(model) - before)
    on_gpu, on_cpu = tracks
    assert on_gpu.isfinite().all()
    assert F.cosine_similarity(on_gpu, on_cpu, dim=0) > 0.9


@pytest.mark.parametrize("value", [-1, 3, 254])
def test_labels_of_a_class_that_there_is_not(
    make_model: Callable[..., SemiMTL], value: int
) -> None:
    batch = make_batch(TWO)
    (name,) = (domain for domain, data in batch.items() if "landcover" in data)
    batch[name]["landcover"][0, 0, 0] = value
    with pytest.raises(InputError) as caught:
        make_model().on_before_batch_transfer(batch, 0)
    assert str(caught.value) == (
        f"landcover of {name}: has the value {value}, but classes are 0 to 2; correct the "
        "labels, or declare the value as nodata"
    )


def test_synchronised_batchnorm_does_not_drop_activations(
    make_model: Callable[..., SemiMTL],
) -> None:
    fused = make_model(encoder=Encoder("tu-efficientnet_lite0", None, 8))
    assert fused.sync_drops_activations
    nn.SyncBatchNorm.convert_sync_batchnorm(fused)
    with pytest.raises(InputError) as caught:
        fused.on_fit_start()
    assert str(caught.value) == (
        "trainer.sync_batchnorm: would drop the activations in the encoder's BatchNorm layers; "
        "leave it out, or use a ResNet"
    )
    plain = make_model()
    assert not plain.sync_drops_activations
    keys = set(plain.state_dict())
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(plain.generator)
    assert set(plain.state_dict()) == keys
    # Scale and shift are still shared by the domains.
    norms = [m for m in converted.modules() if isinstance(m, DomainBatchNorm)]
    assert all(n.norms[0].weight is n.norms[1].weight for n in norms)
    assert all(isinstance(n.norms[1], nn.SyncBatchNorm) for n in norms)
