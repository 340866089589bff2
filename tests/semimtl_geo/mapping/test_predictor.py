from __future__ import annotations

import copy
import pickle
import pickletools
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from semimtl_geo.learning import AdversarialSettings
from semimtl_geo.mapping.predictor import Predictor, check_device
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.training.module import SemiMTL
from tiles.errors import InputError


@pytest.fixture
def predictor(make_model: Callable[..., SemiMTL]) -> Predictor:
    """With statistics of two domains that differ, and the second in use."""
    model = make_model(domains={"a": ["landcover"], "b": ["height"]}).eval()
    torch.manual_seed(0)
    for name, value in model.generator.state_dict().items():
        if name.endswith("norms.1.running_mean"):
            value += torch.rand_like(value)
    model.generator.use_domain(1)
    discriminators = model.card.build_discriminators()
    for name, discriminator in discriminators.items():
        discriminator.load_state_dict(model.discriminators[name].state_dict())
        discriminator.eval()
    return Predictor(model.card, model.generator, discriminators, scale=255.0)


def batch() -> torch.Tensor:
    images = 255 * torch.rand(2, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=torch.channels_last)


def test_what_is_answered(predictor: Predictor) -> None:
    answer = predictor(batch())
    assert {name: tuple(values.shape) for name, values in answer.items()} == {
        "landcover": (2, 3, 40, 48),
        "height": (2, 1, 40, 48),
        "landcover_plausibility": (2, 1, 40, 48),
        "height_plausibility": (2, 1, 40, 48),
    }
    for name in ("landcover", "landcover_plausibility", "height_plausibility"):
        assert 0 <= answer[name].min() <= answer[name].max() <= 1


def test_it_crosses_to_another_process(predictor: Predictor, tmp_path: Path) -> None:
    """Pickled, read by a fresh process that imports nothing before, and answered the same."""
    before = predictor(batch())
    (tmp_path / "predictor.pkl").write_bytes(pickle.dumps(predictor))
    torch.save(batch(), tmp_path / "batch.pt")
    code = (
        "import pickle, torch\n"
        "predictor = pickle.load(open('predictor.pkl', 'rb'))\n"
        "torch.save(predictor(torch.load('batch.pt')), 'answer.pt')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    answer = torch.load(tmp_path / "answer.pt")
    assert answer.keys() == before.keys()
    for name, values in answer.items():
        torch.testing.assert_close(values, before[name].cpu())


def test_its_pickle_holds_plain_values_and_bytes(predictor: Predictor) -> None:
    """No tensor, which multiprocessing would put into shared memory."""
    plain = pickle.dumps(predictor)
    names = [value for _, value, _ in pickletools.genops(plain) if isinstance(value, str)]
    assert "torch._utils" not in names
    assert "_rebuild_tensor_v2" not in names


def test_the_network_that_was_given_stays_where_it_is(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another device works a copy. The meta device stands in for a GPU here."""
    monkeypatch.setattr(
        "semimtl_geo.mapping.predictor.check_device", lambda _: torch.device("meta")
    )
    elsewhere = Predictor(predictor.card, predictor._networks["generator"], device="meta")
    assert elsewhere(batch())["height"].device.type == "meta"
    assert all(v.device.type == "cpu" for v in predictor._networks.state_dict().values())


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", "meta"])
def test_devices_that_are_not_there(device: str) -> None:
    with pytest.raises(InputError, match=f"device {device}: is not a device of this machine; use"):
        check_device(device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_on_a_gpu(predictor: Predictor) -> None:
    """Copied by what pickle would carry: from the CPU, and from the GPU."""
    want = predictor(batch())
    there: Predictor = copy.copy(predictor)
    there.device = torch.device("cuda")
    for _ in range(2):
        answer = there(batch())
        for name, values in answer.items():
            assert values.device.type == "cuda"
            torch.testing.assert_close(values.cpu(), want[name].cpu(), rtol=1e-2, atol=1e-2)
        there = copy.copy(there)


def test_a_batch_that_does_not_fit_is_halved(predictor: Predictor) -> None:
    """With a network that has memory for two images at a time, then for none."""
    images = torch.cat([batch(), 0.5 * batch(), 0.2 * batch()])[:5]
    want = predictor(images)
    network = predictor._networks["generator"]
    most, sizes = 2, []

    def limit(_: torch.nn.Module, args: tuple[torch.Tensor]) -> None:
        sizes.append(len(args[0]))
        if len(args[0]) > most:
            raise torch.OutOfMemoryError

    network.register_forward_pre_hook(limit)
    with pytest.warns(UserWarning, match="5 tiles do not fit into the memory of cpu at once; 2 "):
        made = predictor(images)
    for name, values in want.items():
        torch.testing.assert_close(made[name], values)
    assert sizes == [5, 2, 2, 1]
    most = 0
    with pytest.warns(match="do not fit"), pytest.raises(InputError, match="a smaller tile"):
        predictor(images)


def test_discriminators_of_blocks_judge_blocks(make_model: Callable[..., SemiMTL]) -> None:
    settings = AdversarialSettings(stride=2)
    model = make_model(domains={"a": ["landcover"], "b": ["height"]}, adversarial=settings, crop=64)
    card = ModelCard.from_plain(model.card.to_plain())
    discriminators = model.card.build_discriminators()
    for name, discriminator in discriminators.items():
        discriminator.load_state_dict(model.discriminators[name].eval().state_dict())
        discriminator.eval()
    model.eval()
    images = torch.rand(1, 3, 64, 64)
    made = Predictor(card, model.generator, discriminators)(images)["height_plausibility"]
    with torch.no_grad():
        heights = model.generator(images)["height"]
        quarters = [heights[..., row::2, column::2] for row in (0, 1) for column in (0, 1)]
        gain = model.tasks[1].discriminator_gain
        logits = discriminators["height"](gain * torch.stack(quarters).mean(dim=0))
    blocks = logits.softmax(dim=1)[:, :1]
    assert abs(made.mean() - blocks.mean()) < 1e-4
    # Between four blocks, the mean of them.
    assert torch.allclose(
        made[..., 1::2, 1::2][..., :-1, :-1] * 16,
        9 * blocks[..., :-1, :-1]
        + 3 * blocks[..., 1:, :-1]
        + 3 * blocks[..., :-1, 1:]
        + blocks[..., 1:, 1:],
        atol=1e-4,
    )
