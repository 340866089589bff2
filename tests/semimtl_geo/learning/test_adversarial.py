"""Against equations 2 to 6, from probabilities that were chosen by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from semimtl_geo.learning.adversarial import AdversarialSettings, Adversary, Confusion
from semimtl_geo.learning.alignment import (
    ALIGNMENTS,
    Alignment,
    discriminator_loss,
    intra_loss,
)
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.module import SemiMTL
from tiles.errors import InvalidValueError


def logits_of(*pixels: list[float]) -> Tensor:
    """Logits [1, S, 1, W] whose softmax is the given probabilities, whatever their offset."""
    logits = torch.tensor(pixels).log().T[None, :, None]
    return logits + 7.0


# Two pixels. K = 2: ground truth, prediction on A, prediction on B.
TWO = logits_of([0.5, 0.3, 0.2], [0.1, 0.1, 0.8])
# K = 3: ground truth, A, B, C.
THREE = logits_of([0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4])
# One class for ground truth, one for predictions.
BINARY = logits_of([0.8, 0.2], [0.3, 0.7])


def mean_log(*probabilities: float) -> float:
    return -sum(math.log(p) for p in probabilities) / len(probabilities)


@pytest.mark.parametrize(
    ("alignment", "domains", "count", "sources"),
    [
        ("m1", 2, 3, [1, 2]),
        ("m2", 3, 4, [1, 2, 3]),
        ("m3", 2, 3, [1, 2]),
        ("binary", 3, 2, [1] * 3),
        ("adaptsegnet", 3, 2, [1] * 3),
    ],
)
def test_classes_of_a_discriminator(
    alignment: str, domains: int, count: int, sources: list[int]
) -> None:
    assert ALIGNMENTS[alignment].source_count(domains) == count
    assert [ALIGNMENTS[alignment].source_of(k) for k in range(domains)] == sources


@pytest.mark.parametrize(("source", "chosen"), [(0, (0.5, 0.1)), (1, (0.3, 0.1)), (2, (0.2, 0.8))])
def test_equation_2(source: int, chosen: tuple[float, float]) -> None:
    assert discriminator_loss(TWO, source).item() == pytest.approx(mean_log(*chosen))


def test_equation_2_counts_known_pixels_only() -> None:
    known = torch.tensor([[[False, True]]])
    assert discriminator_loss(TWO, 2, known).item() == pytest.approx(mean_log(0.8))


def test_equation_2_without_known_pixels_is_nothing() -> None:
    logits = TWO.clone().requires_grad_()
    loss = discriminator_loss(logits, 0, torch.zeros(1, 1, 2, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert torch.count_nonzero(logits.grad) == 0


def test_equation_3() -> None:
    assert intra_loss(THREE).item() == pytest.approx(mean_log(0.4, 0.1))


@pytest.mark.parametrize(
    ("alignment", "logits", "domain", "labelled", "chosen"),
    [
        # Equation 4: for a prediction on A. B is labelled, class 2.
        ("m1", TWO, 0, [1], (0.2, 0.8)),
        # The same for B, where A is labelled: class 1.
        ("m1", TWO, 1, [0], (0.3, 0.1)),
        # Two labelled domains, A and C, classes 1 and 3: 0.3 + 0.1 and 0.2 + 0.4.
        ("m1", THREE, 1, [0, 2], (0.4, 0.6)),
        # Equation 5: class 0, whatever is labelled.
        ("m2", TWO, 1, [0], (0.5, 0.1)),
        ("m2", THREE, 2, [0, 1], (0.4, 0.1)),
        # Equation 6: 1 - D^(2) for B: 1 - 0.2 and 1 - 0.8; for A: 1 - 0.3 and 1 - 0.1.
        ("m3", TWO, 1, [0], (0.8, 0.2)),
        ("m3", TWO, 0, [1], (0.7, 0.9)),
        # C: 1 - 0.1 and 1 - 0.4.
        ("m3", THREE, 2, [0], (0.9, 0.6)),
        # DA: class 0 of two, predictions on labelled domains.
        ("adaptsegnet", BINARY, 1, [0], (0.8, 0.3)),
        ("adaptsegnet", BINARY, 0, [1, 2], (0.8, 0.3)),
        # SemiSD: class 0 of two, ground truth.
        ("binary", BINARY, 1, [0], (0.8, 0.3)),
    ],
)
def test_equations_4_to_6(
    alignment: str, logits: Tensor, domain: int, labelled: list[int], chosen: tuple[float, float]
) -> None:
    loss = ALIGNMENTS[alignment].inter_loss(logits, domain, labelled)
    assert loss.item() == pytest.approx(mean_log(*chosen), rel=1e-5)


def test_equation_6_is_finite_where_the_discriminator_is_sure() -> None:
    """log(1 - p) of p rounded to 1 would be minus infinity."""
    logits = torch.tensor([0.0, 0.0, 60.0]).view(1, 3, 1, 1).requires_grad_()
    loss = ALIGNMENTS["m3"].inter_loss(logits, 1, [0])
    loss.backward()
    # 1 - p = 2 / (2 + e^60).
    assert loss.item() == pytest.approx(60 - math.log(2), rel=1e-6)
    assert logits.grad is not None
    assert logits.grad.flatten().tolist() == pytest.approx([-0.5, -0.5, 1.0], rel=1e-5)


def test_losses_do_not_depend_on_the_size_of_a_crop() -> None:
    large = TWO.repeat(3, 1, 4, 5)
    assert intra_loss(large).item() == pytest.approx(intra_loss(TWO).item())
    loss = ALIGNMENTS["m1"].inter_loss(large, 1, [0])
    assert loss.item() == pytest.approx(mean_log(0.3, 0.1), rel=1e-5)


@pytest.mark.parametrize(
    ("alignment", "names"),
    [
        ("m2", ["truth", "a", "b"]),
        ("binary", ["truth", "prediction"]),
        ("adaptsegnet", ["labelled", "unlabelled"]),
    ],
)
def test_names_of_sources(alignment: str, names: list[str]) -> None:
    assert ALIGNMENTS[alignment].source_names(["a", "b"]) == names


def test_a_mode_of_ones_own_gets_the_source_of_labelled_predictions() -> None:
    """With a discriminator that sees no truth, they are the first source."""
    own = Alignment(lambda request: request.labelled, separates_domains=False, sees_truth=False)
    assert own.target_sources(domain=1, count=2, labelled=[0]) == [0]


def test_confusion_counts_known_pixels() -> None:
    """Of six heights, two of which nobody knows."""
    target = torch.zeros(1, 2, 3)
    target[0, 0, :2] = math.nan
    adversary = Adversary(ALIGNMENTS["m2"], AdversarialSettings(), ["a", "b"], {"height": [0]})
    output = torch.zeros(1, 1, 2, 3, requires_grad=True)
    counts = adversary.terms(Depth(), nn.Conv2d(1, 3, 1), 0, output, target).confusion_counts
    assert {source: count.sum().item() for source, count in counts.items()} == {0: 4, 1: 6}


def test_confusion_by_hand() -> None:
    """Of 8 pixels predicted in two domains, 4 pass for truth; of 10 true ones, 9 are recognised."""
    confusion = Confusion(["truth", "prediction"])
    confusion.add("height", {0: torch.tensor([9, 1]), 1: torch.tensor([1, 3])})
    confusion.add("height", {1: torch.tensor([3, 1])})
    confusion.add("landcover", {0: torch.tensor([0, 0]), 1: torch.tensor([0, 1])})
    assert {name: share.item() for name, share in confusion.shares().items()} == pytest.approx(
        {
            "confusion/height/truth as truth": 0.9,
            "confusion/height/truth as prediction": 0.1,
            "confusion/height/prediction as truth": 0.5,
            "confusion/height/prediction as prediction": 0.5,
            "confusion/landcover/truth as truth": 0.0,
            "confusion/landcover/truth as prediction": 0.0,
            "confusion/landcover/prediction as truth": 0.0,
            "confusion/landcover/prediction as prediction": 1.0,
        }
    )


def test_discriminators_of_blocks_see_their_means() -> None:
    """Heights of 2 x 2 px blocks, judged pixel by pixel at half of the resolution."""
    torch.manual_seed(0)
    task, judge = Depth(), nn.Conv2d(1, 3, kernel_size=1)
    coarse, truth = torch.rand(1, 1, 4, 3), 20 * torch.rand(1, 4, 3)
    within = torch.tensor([[-0.1, 0.1], [0.05, -0.05]]).repeat(4, 3)  # each block's mean is 0
    fine = (coarse.repeat_interleave(2, 2).repeat_interleave(2, 3) + within).requires_grad_()
    coarse.requires_grad_()
    of_blocks = truth.repeat_interleave(2, 1).repeat_interleave(2, 2) + 20 * within
    truth[0, 1, 2] = of_blocks[0, 3, 4] = math.nan  # one pixel of a block that nobody knows

    def judged(stride: int, output: Tensor, target: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        settings = AdversarialSettings(intra=1.0, stride=stride)
        adversary = Adversary(ALIGNMENTS["m2"], settings, ["a", "b"], {"height": [0]})
        verdict = adversary.terms(task, judge, 0, output, target)
        (gradient,) = torch.autograd.grad(verdict.generator_term, output)
        return gradient, verdict.parts

    expected_gradient, expected = judged(1, coarse, truth)
    gradient, parts = judged(2, fine, of_blocks)
    assert torch.allclose(4 * gradient[..., ::2, 1::2], expected_gradient, atol=1e-6)
    assert {name: part.item() for name, part in parts.items()} == pytest.approx(
        {name: part.item() for name, part in expected.items()}, rel=1e-5
    )


def test_a_crop_of_few_blocks_is_refused() -> None:
    settings = AdversarialSettings(stride=4)
    domains = {"a": ["landcover"], "b": ["height"]}
    with pytest.raises(InvalidValueError, match=r"must be >= 128 px .* got 96"):
        SemiMTL([Segmentation(), Depth()], domains, adversarial=settings, crop=96)
