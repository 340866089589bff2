from __future__ import annotations

import csv
import pickle
import warnings
from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import LearningRateMonitor

from semimtl_geo.mapping.mapper import Mapper
from semimtl_geo.training.cli import packaged_config, parse_settings, train
from tests.semimtl_geo.conftest import Run
from tiles.datasets.samplers import RandomChips
from tiles.errors import InputError


def weights(checkpoint: Path) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(checkpoint, weights_only=True)["state_dict"]
    return state


def test_what_a_run_leaves(run: Run) -> None:
    assert {path.name for path in run.out.iterdir()} == {
        "semimtl.ckpt",
        "config.yaml",
        "metrics.csv",
        "tensorboard",
    }
    (events,) = (run.out / "tensorboard").glob("events.out.tfevents.*")
    for name in (b"train/city_a/height/inter", b"confusion/height/truth as city_b"):
        assert events.read_bytes().count(name.replace(b" ", b"_")) == 2  # iterations
    with (run.out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    logged = {name for row in rows for name, value in row.items() if value}
    assert {
        "train/city_a/landcover/supervised",
        "train/city_b/height/supervised",
        "train/city_a/height/inter",
        "confusion/height/truth as city_b",
        "lr/discriminators",
        "val/city_a/landcover/mIoU",
        "val/city_b/height/RMSE",
    } <= logged
    # Labels that are not supervised are not validated with either.
    assert not any(
        name.startswith(("val/city_a/height", "val/city_b/landcover")) for name in logged
    )
    assert max(int(row["step"]) for row in rows) == 1  # iterations 0 and 1


def test_the_saved_configuration_is_the_whole_one(run: Run) -> None:
    config = yaml.safe_load((run.out / "config.yaml").read_text())
    assert config["model"]["system"] == "semimtl"
    assert config["model"]["optimisation"]["discriminator_lr"] == 1e-4  # from no file
    assert config["model"]["encoder"]["name"] == "tu-resnet10t"  # from the base
    assert config["data"]["iterations"] == 2  # from the command line
    assert config["data"]["domains"]["city_a"]["supervised"] == ["landcover"]


def test_the_saved_configuration_trains_the_same_network_again(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does so from another folder, and no bit differs."""
    monkeypatch.chdir(tmp_path)
    config = str(run.out / "config.yaml")
    again = train(["--config", config, "--checkpoint.tiles=false", f"--out={tmp_path / 'again'}"])
    assert again == tmp_path / "again/semimtl.ckpt"
    one, other = weights(run.checkpoint), weights(again)
    assert set(one) == set(other)
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert [path.name for path in tmp_path.iterdir()] == ["again"]


def test_the_command_line_outweighs_the_file(run: Run, tmp_path: Path) -> None:
    made = train(
        [*run.args, "--model.system=stl_seg", f"--out={tmp_path}", "--trainer.logger=false"]
    )
    assert made == tmp_path / "stl_seg.ckpt"
    # The system goes for the data as well: the network knows no other domain.
    card = torch.load(made, weights_only=True)["semimtl_geo"]
    assert (card["system"], card["domains"]) == ("stl_seg", ["city_a"])
    assert [task["name"] for task in card["tasks"]] == ["landcover"]
    # Without a log, too, the configuration lies beside the checkpoint.
    assert yaml.safe_load((tmp_path / "config.yaml").read_text())["model"]["system"] == "stl_seg"


def test_callbacks_of_the_configuration_and_of_the_caller(run: Run, tmp_path: Path) -> None:
    seen: list[Any] = []

    class Spy(lightning.Callback):
        def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
            seen.extend(type(callback) for callback in trainer.callbacks)

    train(
        [*run.args, f"--out={tmp_path}", "--trainer.callbacks=LearningRateMonitor"],
        callbacks=[Spy()],
    )
    assert {Spy, LearningRateMonitor} <= set(seen)
    assert (tmp_path / "semimtl.ckpt").is_file()


def test_a_run_is_resumed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second epoch draws the chips that it would have drawn without the interruption."""
    passes: list[int] = []
    original = RandomChips.__iter__

    def spy(self: RandomChips) -> Any:
        passes.append(self.passes)
        return original(self)

    monkeypatch.setattr(RandomChips, "__iter__", spy)
    made = train(
        [
            *run.args,
            "--trainer.max_epochs=2",
            f"--resume={run.checkpoint}",
            f"--out={tmp_path}",
        ]
    )
    checkpoint = torch.load(made, weights_only=True)
    assert checkpoint["global_step"] == 4
    assert passes == [1, 1]  # one sampler per domain
    old = weights(run.checkpoint)
    assert not all(torch.equal(old[key], value) for key, value in checkpoint["state_dict"].items())


def test_only_a_checkpoint_of_ours_is_resumed(run: Run, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "victim",))

    (tmp_path / "bomb.ckpt").write_bytes(pickle.dumps(Bomb()))
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    for name, words in (
        ("none.ckpt", "no such file"),
        ("bomb.ckpt", "cannot be loaded safely"),
        ("other.ckpt", "not a checkpoint of semimtl_geo"),
    ):
        with pytest.raises(InputError, match=words):
            train([*run.args, f"--resume={tmp_path / name}", f"--out={tmp_path / 'out'}"])
    assert not (tmp_path / "victim").exists()


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--model.sistem=jtl"], "sistem"),
        (["--trainer.gradient_clip_val=1"], "set model.optimisation.clip"),
        (["--trainer.accumulate_grad_batches=2"], "set data.batch_size"),
        (["--trainer.limit_train_batches=3"], "set data.iterations"),
        (["--checkpoint.every=0"], "checkpoint.every: must be >= 1 iteration, got 0"),
        (["--model.system=best"], "best"),
        (["--trainer.max_epochs=many"], "max_epochs"),
        (["--data.root=nowhere"], "nowhere/city_a/train/image: no such folder"),
        (["--data.crop=1000"], "no scene is as large"),
        (["--model.encoder.name=resnot"], "encoder resnot: cannot be built"),
        (["--data.domains={city_a: {supervised: [trees]}}"], "no label is called trees"),
        (["--data.domains={city_a: {supervised: [landcover]}}"], "no domain has labels for it"),
    ],
)
def test_faults_are_named_in_one_line(
    run: Run, tmp_path: Path, extra: list[str], words: str
) -> None:
    with pytest.raises(InputError) as caught:
        train([*run.args, *extra, f"--out={tmp_path}"])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*.ckpt"))


def test_faults_of_configuration_files(tmp_path: Path) -> None:
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "broken.yaml").write_text("model: [1")
    (folder / "list.yaml").write_text("- 1")
    for name, words in (
        ("none.yaml", "File does not exist"),
        ("broken.yaml", "cannot be read as YAML"),
        ("list.yaml", "Unexpected config"),
    ):
        for args in (["--config", str(folder / name)], [f"--config={folder / name}"]):
            with pytest.raises(InputError, match=rf"{name}: .*{words}") as caught:
                train(args)
            assert "\n" not in str(caught.value)


def test_later_configurations_change_earlier_ones(tmp_path: Path) -> None:
    """Names that users choose replace earlier ones; other settings are kept."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "data: {crop: 64, domains: {city_b: {folder: b}, city_c: {}}}\n"
        "model: {encoder: {options: {depth: 1}}, tasks: [{class_path: semimtl_geo.tasks.Depth}]}"
    )
    base = f"--config={packaged_config('cities/base.yaml')}"
    before, after = (parse_settings(args) for args in ([base], [base, f"--config={mine}"]))
    assert after["data"]["crop"] == 64
    assert after["data"]["gsd"] == before["data"]["gsd"] == 0.27
    domains = after["data"]["domains"]
    assert list(domains) == ["city_b", "city_c"]
    assert (domains["city_b"]["supervised"], domains["city_b"]["folder"]) == (["height"], "b")
    assert after["model"]["encoder"]["options"] == {"depth": 1}
    assert after["model"]["encoder"]["name"] == "tu-resnet10t"
    assert [task["class_path"] for task in after["model"]["tasks"]] == ["semimtl_geo.tasks.Depth"]


def test_nothing_is_said_that_a_user_cannot_mend(
    run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The choice of tiles says nothing either."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train([*run.args, "--checkpoint.tiles=true", f"--out={tmp_path}"])
    own = {str(w.message)[:150] for w in caught if "LeafSpec" not in str(w.message)}
    assert not own
    assert capfd.readouterr() == ("", "")


def test_three_domains_and_three_tasks(run: Run, tmp_path: Path) -> None:
    """Domains have labels of both, one and none; the third task learns from the second's labels."""
    rest = [arg for arg in run.args if not arg.startswith("--config")]
    configs = [f"--config={packaged_config(f'cities/{name}.yaml')}" for name in ("base", "three")]
    made = train([*configs, *rest, f"--out={tmp_path / 'out'}"])
    with (tmp_path / "out/metrics.csv").open() as file:
        logged = {name for row in csv.DictReader(file) for name, value in row.items() if value}
    for task, kinds in (
        ("landcover", ("supervised", "inter", "inter")),
        ("height", ("supervised", "supervised", "inter")),
        ("slope", ("supervised", "supervised", "inter")),
    ):
        for domain, kind in zip("abc", kinds, strict=True):
            assert f"train/city_{domain}/{task}/{kind}" in logged
        assert f"confusion/{task}/city_c as truth" in logged
    assert {"val/city_a/slope/RMSE", "val/city_b/slope/RMSE"} <= logged
    mapper = Mapper.load(made).for_domain("city_c")
    image = next((run.cities / "city_b/test/image").iterdir())
    maps = mapper.map(image, tmp_path / "maps", bands=[2, 3, 1])
    assert set(maps) >= {"landcover", "height", "slope"}
    assert maps["slope"].dtype == "float32"
