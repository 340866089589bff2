"""Training from Python does what the command does, and what data and model share is said once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torchgeo.datasets import RasterDataset

from semimtl_geo import Domain, DomainsDataModule, SemiMTL, fit
from semimtl_geo.data import Augmentation
from semimtl_geo.learning import AdversarialSettings, Optimisation
from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.tasks import Depth, Segmentation
from semimtl_geo.training.cli import train
from semimtl_geo.training.collapse_warning import CollapseWarning
from tests.semimtl_geo.conftest import CROP, TINY, Run
from tests.semimtl_geo.test_examples import call
from tests.semimtl_geo.training.test_run_folder import Interrupt, assert_same, rows, state
from tiles.errors import InputError, InvalidValueError

DOMAINS = {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])}
QUIET: dict[str, Any] = {
    "accelerator": "cpu",
    "log_every_n_steps": 1,
    "num_sanity_val_steps": 0,
    "enable_progress_bar": False,
    "enable_model_summary": False,
}


@pytest.fixture(autouse=True)
def _without_choice_of_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what takes longer than the training, and what no test of this file looks at."""
    monkeypatch.setattr("semimtl_geo.training.card_entries.choose_tiles", lambda *_: None)


def make_data(root: Path, **settings: Any) -> DomainsDataModule:
    """The data of the fixture `run`."""
    defaults: dict[str, Any] = {
        "domains": DOMAINS,
        "gsd": 0.27,
        "crop": CROP,
        "batch_size": 2,
        "iterations": 2,
        "workers": 0,
        "augmentation": Augmentation(scale=(0.8, 1.25)),
    }
    return DomainsDataModule(root, **(defaults | settings))


def make_model(data: DomainsDataModule, system: str = "semimtl", **settings: Any) -> SemiMTL:
    """The model of the fixture `run`."""
    torch.manual_seed(0)
    defaults: dict[str, Any] = {
        "tasks": [Segmentation(), Depth(weight=1.0, scale=20.0, unit="m", adversarial_weight=0.3)],
        "encoder": TINY,
        "decoder_width": 16,
        "discriminator_width": 4,
        "adversarial": AdversarialSettings(0.001, 0.01),
        "optimisation": Optimisation("adamw", lr=0.002),
    }
    return SemiMTL.for_data(data, system=system, **(defaults | settings))


def test_it_learns_what_the_command_learns(run: Run, tmp_path: Path) -> None:
    """No bit differs, and log and settings are the same."""
    data = make_data(run.cities)
    made = fit(make_model(data), data, tmp_path, epochs=1, **QUIET)
    assert made == tmp_path / "semimtl.ckpt"
    assert_same(made, run.checkpoint)
    assert rows(tmp_path) == rows(run.out)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in run.out.iterdir()}
    ours, theirs = (yaml.safe_load((f / "config.yaml").read_text()) for f in (tmp_path, run.out))
    for task in theirs["model"]["tasks"]:  # the same class by the path of its module
        task["class_path"] += "." + task["class_path"].rpartition(".")[2]
        task["class_path"] = task["class_path"].replace(".Segmentation.", ".segmentation.")
        task["class_path"] = task["class_path"].replace(".Depth.", ".depth.")
    assert ours["model"] == theirs["model"]
    assert ours["data"] == theirs["data"]
    config = f"--config={tmp_path / 'config.yaml'}"
    assert_same(train([config, f"--out={tmp_path / 'command'}"]), made)


def test_an_interrupted_run_continues(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ended in its first epoch, after a checkpoint that only `checkpoint_every` asks for."""
    data = make_data(run.cities)
    whole = fit(make_model(data), data, tmp_path / "whole", epochs=2, **QUIET)
    out = tmp_path / "again"
    again: dict[str, Any] = {"epochs": 2, "checkpoint_every": 1, **QUIET}
    with pytest.raises(OSError, match="power"):
        fit(make_model(data), data, out, callbacks=[Interrupt(1)], **again)
    with pytest.raises(InputError, match=r"begun with other settings \(model.system: semimtl"):
        fit(make_model(data, "jtl"), data, out, **again)
    with pytest.raises(InputError, match=r"begun with other settings \(seed_everything: 0, now 1"):
        fit(make_model(data), data, out, seed=1, **again)
    assert "resuming" not in capsys.readouterr().out
    torch.manual_seed(5)  # whatever weights the new model begins with
    made = fit(make_model(data), data, str(out), **again)
    assert capsys.readouterr().out == f"resuming from {out / 'last.ckpt'}\n"
    assert_same(made, whole)
    assert rows(out) == rows(tmp_path / "whole")


def test_any_checkpoint_is_resumed(run: Run, tmp_path: Path) -> None:
    data = make_data(run.cities)
    made = fit(make_model(data), data, tmp_path, epochs=2, resume=run.checkpoint, **QUIET)
    assert state(made)["global_step"] == 4


def test_the_system_is_said_once(run: Run, tmp_path: Path) -> None:
    """The data read what it learns from; the next system has them all again."""
    data = make_data(run.cities)
    for system, domains in (("stl_seg", ["city_a"]), ("jtl", ["city_a", "city_b"])):
        made = fit(make_model(data, system), data, tmp_path / system, epochs=1, **QUIET)
        assert list(data.domains) == domains
        mapper = Mapper.load(made)
        assert (mapper.card.system, list(mapper.card.domains)) == (system, domains)
        assert (mapper.card.gsd, mapper.card.crop) == (0.27, CROP)


def test_four_bands_are_said_once(run: Run) -> None:
    mean = (0.4, 0.4, 0.3, 0.5)
    domains = {"city_a": Domain(["landcover", "height"], bands=[1, 2, 3, 1])}
    data = make_data(run.cities, domains=domains, fill=mean)
    names = ("a", "b", "c", "d")
    model = make_model(data, bands=names, std=(0.1, 0.2, 0.3, 0.4))
    assert model.card.mean == mean
    for settings, words in (
        ({}, r"model\.mean: must have one value per band, 3, got 4"),
        ({"bands": names}, r"model\.std: must have one value per band, 4, got 3"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            make_model(data, **settings)


def test_a_model_of_other_data_is_refused(run: Run, tmp_path: Path) -> None:
    data = make_data(run.cities)
    for name, other in {
        "crop": make_data(run.cities, crop=40),
        "gsd": make_data(run.cities, gsd=None),
        "mean": make_data(run.cities, fill=(0.1, 0.2, 0.3)),
        "domains": make_data(run.cities, domains=dict(reversed(DOMAINS.items()))),
    }.items():
        with pytest.raises(InvalidValueError, match=rf"model\.{name}: must be that of the data"):
            fit(make_model(other), data, tmp_path, epochs=1, **QUIET)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gradient_clip_val": 1.0}, "set model.optimisation.clip"),
        ({"accumulate_grad_batches": 2}, "set data.batch_size"),
        ({"limit_train_batches": 0.5}, "set data.iterations"),
        ({"limit_train_batches": 1}, "set data.iterations"),  # one batch; 1.0 is all
        ({"overfit_batches": 1}, "leave it out"),
        ({"max_steps": 0}, "0 trains nothing"),
        ({"max_epochs": 3}, "give epochs alone"),
        ({"checkpoint_every": 0}, "checkpoint.every: must be >= 1"),
    ],
)
def test_settings_that_algorithm_1_cannot_follow(
    run: Run, tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    data = make_data(run.cities)
    with pytest.raises(InvalidValueError, match=words):
        fit(make_model(data), data, tmp_path, epochs=1, **QUIET, **settings)


def test_no_epochs_are_refused(run: Run, tmp_path: Path) -> None:
    data = make_data(run.cities)
    with pytest.raises(InvalidValueError, match=r"trainer\.max_epochs: must be 1 to"):
        fit(make_model(data), data, tmp_path / "out", epochs=0, **QUIET)
    assert not (tmp_path / "out").exists()


def test_domains_that_nothing_is_learnt_from_are_named(run: Run) -> None:
    domains = {**DOMAINS, "spare": Domain([], folder="city_b")}
    for system, named in (("jtl", ["spare"]), ("semimtl", []), ("stl_seg", ["spare"])):
        data = make_data(run.cities, domains=domains)
        data.restrict_to(system)
        assert data.unread() == named


def test_the_callers_collapse_warning_replaces_the_default(run: Run, tmp_path: Path) -> None:
    data, own = make_data(run.cities), CollapseWarning(patience=7)
    seen: list[Any] = []

    class Spy(Interrupt):
        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            seen.extend(c for c in trainer.callbacks if isinstance(c, CollapseWarning))

    fit(make_model(data), data, tmp_path, epochs=1, callbacks=[own, Spy(-1)], **QUIET)
    assert seen == [own]


# --- Domains of torchgeo --------------------------------------------------------------------------


class LandCover(RasterDataset):
    filename_glob = "*.tif"
    is_image = False


class Images(RasterDataset):
    filename_glob = "*.tif"


def land_cover(folder: Path) -> Any:
    return Images(folder / "image") & LandCover(folder / "landcover")


def torchgeo_domain(run: Run, **settings: Any) -> Domain:
    folder = run.cities / "city_a"
    defaults: dict[str, Any] = {
        "supervised": ["landcover"],
        "dataset": land_cover(folder / "train"),
        "val_dataset": land_cover(folder / "val"),
        "keys": {"mask": "landcover"},
    }
    return Domain(**(defaults | settings))


def test_a_torchgeo_domain_gives_the_batches_of_its_folder(run: Run) -> None:
    """They have the files' own resolution, so that nothing is resampled."""
    batches = []
    for domain in (Domain(["landcover"]), torchgeo_domain(run)):
        data = make_data(run.cities, domains={"city_a": domain}, gsd=None)
        train, _, _ = next(iter(data.train_dataloader()))
        (validation,) = data.val_dataloader()
        batches.append([train["city_a"], *(batch["city_a"] for batch in validation)])
    assert len(batches[0]) == len(batches[1]) > 1
    for one, other in zip(*batches, strict=True):
        assert set(one) == set(other) == {"image", "landcover"}
        assert torch.allclose(one["image"], other["image"], atol=1e-6)
        assert torch.equal(one["landcover"], other["landcover"])


def test_labels_that_may_not_be_used_do_not_reach_a_batch(run: Run) -> None:
    domain = torchgeo_domain(run, supervised=[])
    data = DomainsDataModule(None, {"a": domain}, crop=CROP, iterations=1, workers=0)
    batch, _, _ = next(iter(data.train_dataloader()))
    assert set(batch["a"]) == {"image"}


def test_faults_of_torchgeo_domains(run: Run) -> None:
    for settings, words in (
        ({"folder": "city_a"}, "give a folder or a data set"),
        ({"dataset": None}, "domain.dataset: must be given with val_dataset or keys"),
    ):
        with pytest.raises(InvalidValueError, match=words):
            torchgeo_domain(run, **settings)
    domain = torchgeo_domain(run, supervised=["height"])
    data = DomainsDataModule(None, {"a": domain}, crop=CROP)
    with pytest.raises(InvalidValueError, match=r"domain\.keys: must name a key .* for height"):
        data.train_dataloader()
    with pytest.raises(InvalidValueError, match=r"give data\.root or a data set"):
        DomainsDataModule(None, DOMAINS)


# --- Examples -------------------------------------------------------------------------------------


def test_train_on_two_cities(run: Run, tmp_path: Path) -> None:
    lines = call("train_on_two_cities.py", tmp_path, run.cities, "mine", 2)
    assert lines[-1] == "trained: mine/semimtl.ckpt"
    assert list(Mapper.load(tmp_path / "mine/semimtl.ckpt").card.domains) == ["city_a", "city_b"]


def test_train_on_torchgeo_datasets(run: Run, tmp_path: Path) -> None:
    cities = run.cities / "city_a", run.cities / "city_b"
    lines = call("train_on_torchgeo_datasets.py", tmp_path, *cities, "mine", 2)
    assert lines[-1] == "trained: mine/jtl.ckpt"
    scores = {name for row in rows(tmp_path / "mine") for name, value in row.items() if value}
    assert {"val/first/landcover/mIoU", "val/second/height/RMSE"} <= scores
