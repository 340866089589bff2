"""Settings of a model and its data that were made in Python, in the groups of ``config.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from semimtl_geo.data import Domain, DomainsDataModule
from semimtl_geo.training.module import SemiMTL
from tiles.errors import InvalidValueError


def run_settings(
    model: SemiMTL, data: DomainsDataModule, seed: int, trainer: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all settings of a run, nested as in ``config.yaml``.

    Args:
        model: The model.
        data: The data.
        seed: Seed of the iterations.
        trainer: Arguments of Lightning's trainer.

    Example:
        >>> from semimtl_geo import Domain
        >>> from semimtl_geo.networks import Encoder
        >>> data = DomainsDataModule("data", {"city_a": Domain(["landcover", "height"])}, crop=32)
        >>> model = SemiMTL.for_data(data, system="jtl", encoder=Encoder("resnet18", None))
        >>> run_settings(model, data, 0, {"max_epochs": 3})["data"]["crop"]
        32
    """
    return {
        "seed_everything": seed,
        "trainer": dict(trainer),
        "model": _model_settings(model),
        "data": _data_settings(data),
    }


def check_agreement(model: SemiMTL, data: DomainsDataModule) -> None:
    """Check that a model was made for these data, which are restricted to its system.

    Raises:
        InvalidValueError: If they disagree on a setting.
    """
    card = model.card
    pairs = {
        "domains": (card.domains, tuple(data.domains)),
        "gsd": (card.gsd, data.gsd),
        "crop": (card.crop, data.crop),
        "mean": (card.mean, data.fill),
    }
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            fault = f"must be that of the data, {theirs}, got {ours}"
            raise InvalidValueError(f"model.{name}", fault, "make it with SemiMTL.for_data(data)")


def _model_settings(model: SemiMTL) -> dict[str, Any]:
    card = model.card
    return {
        "tasks": [
            {
                "class_path": f"{type(task).__module__}.{type(task).__qualname__}",
                "init_args": asdict(task),
            }
            for task in card.tasks
        ],
        "system": card.system,
        "encoder": asdict(card.encoder),
        "batchnorm": card.batchnorm,
        "adversarial": asdict(model.adversarial),
        "optimisation": asdict(model.optimisation),
        "consistency": None if model.consistency is None else asdict(model.consistency.prior),
        "pooling": card.pooling,
        "decoder_width": card.decoder_width,
        "discriminator_width": card.discriminator_width,
        "bands": card.bands,
        "mean": card.mean,
        "std": card.std,
        "start": model.start,
    }


def _data_settings(data: DomainsDataModule) -> dict[str, Any]:
    return {
        "root": str(data.root),
        "domains": {name: _domain_settings(domain) for name, domain in data.domains.items()},
        "labels": data.label_kinds,
        "gsd": data.gsd,
        "crop": data.crop,
        "batch_size": data.batch_size,
        "iterations": data.iterations,
        "workers": data.workers,
        "seed": data.seed,
        "augmentation": asdict(data.augmentation),
    }


def _domain_settings(domain: Domain) -> dict[str, Any]:
    """Return the settings of a domain; a data set is described by its type, extent and size."""
    values = {field.name: getattr(domain, field.name) for field in fields(domain)}
    return {
        name: value if isinstance(value, list | dict | str | None) else " ".join(str(value).split())
        for name, value in values.items()
    }
