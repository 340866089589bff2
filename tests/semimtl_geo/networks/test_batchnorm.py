from __future__ import annotations

import copy
import itertools

import pytest
import timm
import torch
from torch import nn

from semimtl_geo.networks.batchnorm import (
    DomainBatchNorm,
    active_norms,
    reestimate,
    split_by_domain,
    use_domain,
)


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 2, 1),
        nn.BatchNorm2d(2),
    )  # fmt: skip


def test_statistics_are_separate_and_scales_shared() -> None:
    network = small()
    split_by_domain(network, 3)
    layer = network[1]
    assert isinstance(layer, DomainBatchNorm)
    first, *others = layer.norms
    for other in others:
        assert other.weight is first.weight
        assert other.bias is first.bias
        assert other.running_mean is not first.running_mean
    # As many parameters as without domains, three times the statistics.
    plain = small()
    assert sum(p.numel() for p in network.parameters()) == sum(
        p.numel() for p in plain.parameters()
    )
    statistics = [name for name, _ in network.named_buffers() if name.endswith("running_var")]
    assert len(statistics) == 6


def test_only_the_active_domain_learns_statistics() -> None:
    network = small()
    split_by_domain(network, 2)
    use_domain(network, 1)
    images = torch.rand(4, 2, 8, 8)
    network(images)
    layer = network[1]
    assert isinstance(layer, DomainBatchNorm)
    features = network[0](images)
    # A momentum of 0.1, starting from a mean of 0 and a variance of 1.
    torch.testing.assert_close(layer.norms[1].running_mean, 0.1 * features.mean((0, 2, 3)))
    torch.testing.assert_close(
        layer.norms[1].running_var, 0.9 + 0.1 * features.transpose(0, 1).flatten(1).var(1)
    )
    assert torch.equal(layer.norms[0].running_mean, torch.zeros(3))
    assert torch.equal(layer.norms[0].running_var, torch.ones(3))


def test_training_one_domain_moves_the_scale_of_the_other() -> None:
    network = small()
    split_by_domain(network, 2)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.rand(4, 2, 8, 8)).square().sum().backward()
    optimizer.step()
    layer = network[1]
    assert isinstance(layer, DomainBatchNorm)
    assert not torch.equal(layer.norms[1].weight, torch.ones(3))


def test_sharing_survives_a_copy_and_a_state_dict() -> None:
    network = small()
    split_by_domain(network, 2)
    other = copy.deepcopy(network)
    again = small()
    split_by_domain(again, 2)
    with torch.no_grad():
        network[1].norms[0].weight.fill_(3.0)  # type: ignore[union-attr, operator]
    again.load_state_dict(network.state_dict())
    for made in (other, again):
        layer = made[1]
        assert isinstance(layer, DomainBatchNorm)
        assert layer.norms[0].weight is layer.norms[1].weight
    assert again[1].norms[1].weight.tolist() == [3.0] * 3  # type: ignore[union-attr]
    assert other[1].norms[1].weight.tolist() == [1.0] * 3  # type: ignore[union-attr]


def test_layers_of_timm_that_include_the_activation() -> None:
    """The same network, whether its layers are split or not."""
    torch.manual_seed(0)
    model = timm.create_model("efficientnet_lite0", pretrained=False, features_only=True)
    plain = copy.deepcopy(model).eval()
    activations = sum(type(m).__name__ == "BatchNormAct2d" for m in model.modules())
    assert activations > 10
    split_by_domain(model, 2)
    assert sum(isinstance(m, DomainBatchNorm) for m in model.modules()) == activations
    model.eval()
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for domain in (0, 1):
            use_domain(model, domain)
            for got, want in zip(model(images), plain(images), strict=True):
                assert torch.equal(got, want)


@pytest.mark.parametrize("split", [True, False])
def test_reestimated_statistics_are_those_of_the_images(split: bool) -> None:
    network = small()
    if split:
        split_by_domain(network, 2)
        use_domain(network, 1)
    before = copy.deepcopy(network.state_dict())
    images = torch.rand(6, 2, 8, 8) * 3
    batches = images.split([2, 3, 1])
    assert reestimate(network, batches) == 6

    # By hand: the mean, and the average of each batch's variance; every image counts alike.
    features = network[0](images)
    first, second = active_norms(network)
    torch.testing.assert_close(first.running_mean, features.mean((0, 2, 3)))
    variances = [
        len(part) / 6 * part.transpose(0, 1).flatten(1).var(1) for part in features.split([2, 3, 1])
    ]
    torch.testing.assert_close(first.running_var, torch.stack(variances).sum(0))
    assert not network.training
    assert not any(module.training for module in network.modules())
    assert {norm.momentum for norm in (first, second)} == {0.1}

    changed = {
        name for name, value in network.state_dict().items() if not torch.equal(value, before[name])
    }
    places = ("1.norms.1", "4.norms.1") if split else ("1", "4")
    kinds = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"{place}.{kind}" for place, kind in itertools.product(places, kinds)}


def test_deeper_layers_see_what_they_will_see() -> None:
    """After re-estimation on one batch, evaluation of that batch is its training-mode answer."""
    network = small()
    images = torch.rand(3, 2, 20, 20)
    network.train()
    want = copy.deepcopy(network)(images)
    reestimate(network, [images])
    # Variances are unbiased in running statistics and biased in a batch: 1 / 1200 apart.
    torch.testing.assert_close(network(images), want, rtol=1e-2, atol=1e-2)


def test_dropout_stays_off() -> None:
    network = nn.Sequential(nn.Dropout(0.9), nn.BatchNorm2d(2))
    images = torch.rand(2, 2, 4, 4)
    reestimate(network, [images])
    torch.testing.assert_close(network[1].running_mean, images.mean((0, 2, 3)))


def test_no_images_leave_the_network_as_it_was() -> None:
    network = small()
    before = copy.deepcopy(network.state_dict())
    with pytest.raises(ValueError, match="no images"):
        reestimate(network, [])
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_fault_midway_leaves_evaluation_mode_and_momentum() -> None:
    network = small()
    with pytest.raises(RuntimeError):
        reestimate(network, [torch.rand(1, 2, 8, 8), torch.rand(1, 5, 8, 8)])
    assert not any(module.training for module in network.modules())
    assert {norm.momentum for norm in active_norms(network)} == {0.1}
