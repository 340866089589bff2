"""The average of the network, and what it teaches."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn

from semimtl_geo.checkpoint import load_generator
from semimtl_geo.networks.batchnorm import DomainBatchNorm
from semimtl_geo.optimisation import Optimisation
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.teacher import Teacher, Teaching, half_of_classes
from semimtl_geo.trainer import SemiMTL
from tests.semimtl_geo.conftest import CLASSES, COLORS, make_batch
from tests.semimtl_geo.test_trainer import TWO, fit
from tiles.errors import InputError

NOW = Teaching(decay=0.9, weight=0.5, warmup=0, confidence=0.0, mix=False)


def settled(model: SemiMTL) -> Teacher:
    assert model.teacher is not None
    return model.teacher


def test_it_averages_weights_and_statistics(make_model: Callable[..., SemiMTL]) -> None:
    """By hand: after each of three iterations, 0.9 own + 0.1 new."""
    model = make_model(system="jtl", teacher=Teaching(decay=0.9))
    expected = {key: value.clone() for key, value in model.generator.state_dict().items()}

    class ByHand(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            for key, value in pl_module.generator.state_dict().items():
                expected[key] = 0.9 * expected[key] + 0.1 * value

    fit(model, make_batch(TWO), steps=3, extra=[ByHand()])
    found = settled(model).network.state_dict()
    assert found.keys() == expected.keys()
    for key, value in found.items():
        if value.is_floating_point():
            assert torch.allclose(value, expected[key], rtol=1e-5, atol=1e-6), key
    assert any(not torch.equal(found[key], model.generator.state_dict()[key]) for key in found)


def test_it_is_no_part_of_what_is_trained(make_model: Callable[..., SemiMTL]) -> None:
    """Before it teaches, the network is the one without it, bit for bit; nor does it train."""
    alone = make_model(system="jtl")
    followed = make_model(system="jtl", teacher=Teaching(warmup=3))
    for model in (alone, followed):
        model.seed = 7
        fit(model, make_batch(TWO), steps=3)
    one, other = alone.generator.state_dict(), followed.generator.state_dict()
    assert all(torch.equal(one[key], other[key]) for key in one)
    teacher = settled(followed.train())
    assert not any(module.training for module in teacher.modules())
    assert not any(weight.requires_grad for weight in teacher.parameters())
    norms = [m for m in teacher.modules() if isinstance(m, DomainBatchNorm)]
    assert all(norm.norms[0].weight is norm.norms[1].weight for norm in norms)


def test_it_is_what_is_used(make_model: Callable[..., SemiMTL], tmp_path: Path) -> None:
    model = make_model(teacher=Teaching(decay=0.9))
    fit(model, make_batch(TWO), steps=2).save_checkpoint(tmp_path / "it.ckpt")
    _, generator = load_generator(tmp_path / "it.ckpt")
    want = settled(model).network.state_dict()
    got = generator.state_dict()
    assert got.keys() == want.keys()
    assert all(torch.equal(got[key], want[key]) for key in got)


def test_validation_is_of_it(make_model: Callable[..., SemiMTL]) -> None:
    model = make_model(system="jtl", teacher=NOW)
    with torch.no_grad():  # a network that says the second class everywhere
        for network, bias in ((model.generator, 0), (settled(model).network, 1)):
            head = network.decoders["landcover"].head  # type: ignore[union-attr]
            assert isinstance(head, nn.Conv2d)
            head.weight.zero_()
            assert head.bias is not None
            head.bias.copy_(torch.eye(3)[bias])
    batch = {"a": make_batch(TWO)["a"]}
    batch["a"]["landcover"][:] = 1
    model.eval().validation_step(batch, 0)
    assert model.validation["a", "landcover"].compute()["pAcc"] == 100


def test_what_it_teaches(make_model: Callable[..., SemiMTL]) -> None:
    """The losses of its answers, where there are no labels, and their weights."""
    batch = make_batch(TWO)
    model = make_model(system="jtl", teacher=NOW, optimisation=Optimisation(lr=0.1))
    for layer in model.modules():
        if isinstance(layer, nn.Dropout2d):
            layer.p = 0.0
    twin = copy.deepcopy(model).train()
    losses: dict[str, Tensor] = {}
    sgd = torch.optim.SGD(twin.generator.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    for k, (name, labelled, other) in enumerate(
        (("a", "landcover", "height"), ("b", "height", "landcover"))
    ):
        data = batch[name]
        settled(twin).network.use_domain(k)
        says = settled(twin).network(data["image"])
        twin.generator.use_domain(k)
        outputs = twin.generator(data["image"])
        answers = {"height": 10 * says["height"][:, 0].clamp(min=0)}
        answers["landcover"] = says["landcover"].argmax(1)
        tasks = {task.name: task for task in twin.tasks}
        losses[f"train/{name}/{other}/taught"] = tasks[other].loss(outputs[other], answers[other])
        sgd.zero_grad()
        total = tasks[labelled].weight * tasks[labelled].loss(outputs[labelled], data[labelled])
        total = total + 0.5 * tasks[other].weight * losses[f"train/{name}/{other}/taught"]
        total.backward()
        sgd.step()
    logged = fit(model, batch).logged_metrics
    for term, loss in losses.items():
        assert logged[term].item() == pytest.approx(loss.item(), rel=1e-5), term
    for (name, got), want in zip(
        model.generator.named_parameters(), twin.generator.parameters(), strict=True
    ):
        assert torch.allclose(got, want, rtol=1e-4, atol=1e-5), name


def test_after_the_warmup(make_model: Callable[..., SemiMTL]) -> None:
    seen: list[bool] = []

    class Spy(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, *args: Any) -> None:
            seen.append("train/a/height/taught" in trainer.logged_metrics)

    model = make_model(system="jtl", teacher=Teaching(warmup=2, confidence=0.0))
    fit(model, make_batch(TWO), steps=3, extra=[Spy()])
    assert seen == [False, False, True]
    average = make_model(system="jtl", teacher=Teaching(weight=0.0, warmup=0))
    assert "train/a/height/taught" not in fit(average, make_batch(TWO)).logged_metrics


def test_what_is_not_sure_is_unknown() -> None:
    """Probabilities 0.7 / 0.2 / 0.1, and 0.5 / 0.3 / 0.2; half of the pixels teach."""
    task = Segmentation(classes=CLASSES, colors=COLORS)
    output = torch.tensor([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]]).log().T[None, :, None]
    target = task.taught(output, 0.6)
    assert target.tolist() == [[[0, 255]]]
    # -log 0.7 over one known pixel, times the share of one half.
    loss = Teacher.loss(None, task, output, target)  # type: ignore[arg-type]
    assert loss.item() == pytest.approx(-torch.tensor(0.7).log().item() / 2)
    heights = Depth(scale=10.0).taught(torch.tensor([[[[0.3, -0.1]]]]), 0.6)
    assert heights.flatten().tolist() == pytest.approx([3.0, 0.0])


@pytest.mark.parametrize("seed", range(5))
def test_half_of_the_classes(seed: int) -> None:
    torch.manual_seed(seed)
    classes = torch.tensor([[[0, 1, 2, 3]], [[5, 5, 2, 255]], [[1, 1, 1, 0]], [[4, 4, 4, 4]]])
    drawn = half_of_classes(classes, 6)
    picked = [set(c[m].tolist()) for c, m in zip(classes, drawn, strict=True)]
    # All pixels of a class, or none.
    for c, m, p in zip(classes, drawn, picked, strict=True):
        assert torch.equal(m, torch.isin(c, torch.tensor(sorted(p))))
    assert [len(p) for p in picked] == [2, 1, 1, 0]
    assert 255 not in picked[1]


def test_images_labels_and_answers_are_mixed_alike(make_model: Callable[..., SemiMTL]) -> None:
    torch.manual_seed(0)
    settings = Teaching(warmup=0, confidence=0.0)
    model = make_model(system="jtl", teacher=settings)
    data = make_batch(TWO)["b"]
    # Images say where they are from.
    data["image"][:] = torch.tensor([0.25, 0.75]).view(2, 1, 1, 1)
    data["height"][:] = torch.tensor([25.0, 75.0]).view(2, 1, 1)
    classes = torch.randint(0, 3, (2, 32, 32))
    one_hot = nn.functional.one_hot(classes, 3).movedim(-1, 1).float()
    teacher = settled(model)
    teacher.network.forward = (
        lambda images: {  # type: ignore[method-assign]
            "landcover": 9 * one_hot,
            "height": images[:, :1],
        }
    )
    shown, taught = teacher.teach(data, 1)
    assert set(shown) == {"image", "height"}
    assert set(taught) == {"landcover"}
    own = torch.tensor([25.0, 75.0]).view(2, 1, 1)
    pasted = shown["height"] != own
    assert 0 < pasted.float().mean() < 1
    assert torch.equal(shown["image"] * 100, shown["height"][:, None].expand(-1, 3, -1, -1))
    assert torch.equal(taught["landcover"], torch.where(pasted, classes.roll(1, 0), classes))
    for i in (0, 1):  # whole classes of the other image, one of three
        assert len(classes[1 - i][pasted[i]].unique()) == 1
        (of,) = classes[1 - i][pasted[i]].unique()
        assert torch.equal(pasted[i], classes[1 - i] == of)


@pytest.mark.parametrize("batchnorm", ["alternating", "mixed"])
def test_with_the_adversary_and_other_batchnorm(
    make_model: Callable[..., SemiMTL], batchnorm: str
) -> None:
    model = make_model(batchnorm=batchnorm, teacher=Teaching(warmup=0, confidence=0.0))
    logged = fit(model, make_batch(TWO), steps=2).logged_metrics
    assert {"train/a/height/taught", "train/b/landcover/taught"} <= set(logged)
    assert not {"train/a/landcover/taught", "train/b/height/taught"} & set(logged)


@pytest.mark.parametrize("wrong", [{"decay": 1.0}, {"confidence": -0.1}])
def test_shares_that_are_none(make_model: Callable[..., SemiMTL], wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"model.teacher.{next(iter(wrong))}"):
        make_model(teacher=Teaching(**wrong))  # type: ignore[arg-type]
