from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning
import numpy as np
import pytest
import torch
from torch import Tensor

from semimtl_geo.data.augmentation import Augmentation
from semimtl_geo.data.datamodule import DomainsDataModule
from semimtl_geo.data.domain import Domain
from semimtl_geo.data.loader import checked_loader
from semimtl_geo.training.module import SemiMTL
from tests.rasters import noise, write
from tests.semimtl_geo.data.batches import same, training
from tiles.errors import InputError, InvalidValueError, MissingFileError

DOMAINS = {"a": Domain(["landcover"]), "b": Domain(["height"])}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two domains with both labels, two scenes to train and one to validate each."""
    for number, (domain, gsd) in enumerate((("a", 0.15), ("b", 0.27))):
        for split, count in (("train", 2), ("val", 1)):
            for scene in range(count):
                seed = 10 * number + scene
                rng = np.random.default_rng(seed)
                folder = tmp_path / "root" / domain / split
                where: Any = {"gsd": gsd, "at": (100 * scene, 0), "crs": f"EPSG:{32632 + number}"}
                image = np.maximum(noise(3, 50, 50, seed=seed), 1)
                image[:, 20:24, 20:24] = 0
                write(folder / f"image/{scene}.tif", image, nodata=0, **where)
                classes = rng.integers(0, 3, (50, 50), dtype=np.uint8)
                write(folder / f"landcover/{scene}.tif", classes, nodata=255, **where)
                heights = rng.gamma(2, 3, (50, 50)).astype(np.float32)
                write(folder / f"height/{scene}.tif", heights, nodata=-9999, **where)
    return tmp_path / "root"


def make(root: Path, **settings: Any) -> DomainsDataModule:
    defaults: dict[str, Any] = {
        "root": str(root),
        "domains": DOMAINS,
        "crop": 32,
        "batch_size": 2,
        "iterations": 3,
        "workers": 0,
        "fill": (0.4, 0.5, 0.6),
    }
    return DomainsDataModule(**(defaults | settings))


def test_the_contract_of_a_batch(root: Path) -> None:
    batches = training(make(root))
    assert len(batches) == 3
    for batch in batches:
        assert {name: set(data) for name, data in batch.items()} == {
            "a": {"image", "landcover"},
            "b": {"image", "height"},
        }
        for data in batch.values():
            assert (data["image"].shape, data["image"].dtype) == ((2, 3, 32, 32), torch.float32)
            assert data["image"].min() >= 0
            assert data["image"].max() <= 1
            assert data["image"].isfinite().all()
        classes, heights = batch["a"]["landcover"], batch["b"]["height"]
        assert (classes.shape, classes.dtype) == ((2, 32, 32), torch.int64)
        assert set(classes.unique().tolist()) == {0, 1, 2, 255}
        assert (heights.shape, heights.dtype) == ((2, 32, 32), torch.float32)
        assert heights.isnan().any()
        # Unknown ground shows the mean colour, and its labels are unknown.
        for data, unknown in ((batch["a"], classes == 255), (batch["b"], heights.isnan())):
            assert torch.equal(
                (data["image"] == torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1)).all(1), unknown
            )


def test_the_seed_fixes_the_batches(root: Path) -> None:
    torch.manual_seed(1)
    one = training(make(root))
    torch.manual_seed(2)
    assert same(training(make(root)), one)
    assert same(training(make(root, workers=1)), one)
    assert not same(training(make(root, seed=1)), one)


def test_passes_differ_and_domains_do_not_move_in_step(root: Path) -> None:
    shutil.rmtree(root / "b")
    shutil.copytree(root / "a", root / "b")
    data = make(root, domains={"a": Domain(["landcover"]), "b": Domain(["landcover"])})
    loader = data.train_dataloader()
    first = [batch for batch, _, _ in loader]
    second = [batch for batch, _, _ in loader]
    assert not same(first, second)
    assert not torch.equal(first[0]["a"]["image"], first[0]["b"]["image"])


def test_one_gsd_for_all(root: Path) -> None:
    """50 px of 0.15 m hold 27 of 0.27 m: a crop of 27 fits, one of 28 does not."""
    batch = training(make(root, gsd=0.27, crop=27))[0]
    assert batch["a"]["image"].shape == batch["b"]["image"].shape == (2, 3, 27, 27)
    with pytest.raises(InputError, match="no scene is as large"):
        training(make(root, gsd=0.27, crop=28))


def test_validation_covers_the_labelled_domains_one_at_a_time(root: Path) -> None:
    data = make(root, domains=DOMAINS | {"c": Domain([], folder="a")})
    loaders = data.val_dataloader()
    batches = [list(loader) for loader in loaders]
    assert [set(batch) for part in batches for batch in part] == [{"a"}] * 2 + [{"b"}] * 2
    # 2 x 2 chips of 32 px in a scene of 50 px.
    assert sum(len(batch["a"]["image"]) for batch in batches[0]) == 4


def test_without_validation_scenes(root: Path) -> None:
    shutil.rmtree(root / "a" / "val")
    assert [set(next(iter(loader))) for loader in make(root).val_dataloader()] == [{"b"}]


def hide(root: Path) -> None:
    """Make the labels that are not supervised garbage, here and there in another way."""
    for split in ("train", "val"):
        for file in (root / "a" / split / "height").iterdir():
            file.write_bytes(b"garbage")
        shutil.rmtree(root / "b" / split / "landcover")


def test_hidden_labels_do_not_reach_a_batch(root: Path) -> None:
    before = training(make(root))
    hide(root)
    assert same(training(make(root)), before)


def test_hidden_labels_do_not_reach_the_network(
    root: Path, make_model: Callable[..., SemiMTL]
) -> None:
    """Two iterations of SemiMTL with augmentation and validation, bit for bit."""

    def run() -> dict[str, Tensor]:
        lightning.seed_everything(0, verbose=False)
        model = make_model()
        trainer = lightning.Trainer(
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, datamodule=make(root, iterations=2))
        assert trainer.global_step == 2
        assert {"val/a/landcover/mIoU", "val/b/height/RMSE"} <= set(trainer.logged_metrics)
        return model.state_dict()

    one = run()
    hide(root)
    other = run()
    assert all(torch.equal(one[key], other[key]) for key in one)
    # A supervised label does make a difference.
    path = root / "b/train/height/0.tif"
    write(path, np.full((50, 50), 3, np.float32), gsd=0.27, crs="EPSG:32633")
    changed = run()
    assert not all(torch.equal(one[key], changed[key]) for key in one)


@pytest.mark.parametrize(
    ("system", "read"),
    [
        ("stl_seg", {"a": {"landcover"}}),
        ("stl_depth", {"b": {"height"}}),
        ("da_seg", {"a": {"landcover"}, "b": set()}),
        ("da_depth", {"a": set(), "b": {"height"}}),
        ("jtl", {"a": {"landcover"}, "b": {"height"}}),
        ("semisd", {"a": {"landcover"}, "b": {"height"}}),
    ],
)
def test_a_system_reads_what_it_learns_from(
    root: Path, system: Any, read: dict[str, set[str]]
) -> None:
    data = make(root)
    data.restrict_to(system)
    batch = training(data)[0]
    assert {name: set(data) - {"image"} for name, data in batch.items()} == read


def test_augmentation_is_for_training(root: Path) -> None:
    class Bright(torch.nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
            return batch | {"image": batch["image"] + 1}

    data = make(root)
    data.augment = Bright()  # type: ignore[assignment]
    batch = training(data)[0]
    for in_training in (True, False):
        data.trainer = SimpleNamespace(training=in_training)  # type: ignore[assignment]
        got = data.on_after_batch_transfer(batch, 0)
        for name in ("a", "b"):
            assert torch.equal(got[name]["image"], batch[name]["image"] + in_training)


def test_folders_and_bands_of_a_domain(root: Path) -> None:
    domains = {"here": Domain([], [3, 1], "a")}
    data = make(root, domains=domains, fill=(0.4, 0.6), augmentation=Augmentation())
    both = make(root, domains={"here": Domain([], [1, 2, 3], "a")}, fill=(0.6, 0.5, 0.4))
    image = training(data)[0]["here"]["image"]
    assert torch.equal(image, training(both)[0]["here"]["image"][:, [2, 0]])


def test_labels_that_nobody_knows(root: Path) -> None:
    with pytest.raises(InputError, match="domain a: no label is called hight"):
        make(root, domains={"a": Domain(["hight"])})


def test_bands_and_normalisation_belong_together(root: Path) -> None:
    with pytest.raises(InputError, match="domain a: has 4 bands"):
        make(root, domains={"a": Domain(["landcover"], [1, 2, 3, 1])})


@pytest.mark.parametrize("setting", ["crop", "batch_size", "iterations", "gsd"])
@pytest.mark.parametrize("number", [0, -1])
def test_numbers_that_are_none(root: Path, setting: str, number: int) -> None:
    with pytest.raises(InputError, match=rf"data\.{setting}"):
        make(root, **{setting: number})


def test_a_domain_without_a_folder(root: Path) -> None:
    shutil.rmtree(root / "b")
    with pytest.raises(InputError, match="image: no such folder"):
        training(make(root))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_cut_short_is_named_whoever_reads_it(root: Path, workers: int) -> None:
    for path in (root / "a/train/image").iterdir():
        path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="cannot be read") as caught:
        training(make(root, workers=workers))
    assert "\n" not in str(caught.value)
    assert str(root / "a/train/image") in str(caught.value)
    assert caught.value.source in {str(path) for path in (root / "a/train/image").iterdir()}
    assert str(caught.value).endswith(f"; {caught.value.remedy}")


class Broken(torch.utils.data.Dataset[Any]):
    """Raises an error that was caused by another one, which cannot be pickled."""

    def __init__(self, kind: type[InputError]) -> None:
        self.kind = kind

    def __getitem__(self, query: int) -> Any:
        try:
            raise OSError(lambda: None)
        except OSError as error:
            raise self.kind("a.tif", f"is broken\nhere: {query}", "mend it") from error


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("kind", [InputError, MissingFileError, InvalidValueError])
def test_errors_keep_their_type_and_fields(kind: type[InputError], workers: int) -> None:
    loader = checked_loader(Broken(kind), list, sampler=[3], num_workers=workers)
    before = multiprocessing.active_children()
    with pytest.raises(InputError) as caught:
        next(iter(loader))
    # Nothing is left to the garbage collector, which would wait for the worker for seconds.
    assert set(multiprocessing.active_children()) <= set(before)
    error = caught.value
    assert type(error) is kind
    assert (error.source, error.fault, error.remedy) == ("a.tif", "is broken\nhere: 3", "mend it")
    assert str(error) == "a.tif: is broken here: 3; mend it"


def test_other_errors_of_reading_processes_stay_defects() -> None:
    class Defect(torch.utils.data.Dataset[Any]):
        def __getitem__(self, query: int) -> Any:
            raise ZeroDivisionError("a defect")

    loader = checked_loader(Defect(), list, sampler=[0], num_workers=1)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        next(iter(loader))


def test_persistent_workers_begin_anew_after_an_error() -> None:
    loader = checked_loader(
        Broken(InputError), list, sampler=[3], num_workers=1, persistent_workers=True
    )
    for _ in range(2):
        with pytest.raises(InputError, match="is broken here: 3"):
            next(iter(loader))
