"""Scenarios: configurations that share a base, and the domains of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.training.configuration import parse_settings, read_yaml
from tiles.errors import InputError

NO_SYSTEMS: Final = ("base", "scenario")
"""Files in a scenario's folder that are not a system's configuration."""


@dataclass(frozen=True)
class Scenario:
    """A folder of configurations.

    Attributes:
        name: Name of the folder.
        folder: Folder with ``base.yaml``, and perhaps a file per system.
        title: In words.
        evaluate: The split on which each domain is evaluated.
        table: Number of the paper's table, if it is one of the paper's.
        prepare: Command that prepares the data.
        root: Expected folder of the data.
        supervised: Per domain, the tasks whose labels training may use.
        folders: Per domain, its folder in the root.
        bands: Per domain, the bands to read, where they are named.
        tasks: Names of all tasks.
    """

    name: str
    folder: Path
    title: str
    evaluate: Mapping[str, str]
    table: int | None
    prepare: str
    root: Path
    supervised: Mapping[str, list[str]]
    folders: Mapping[str, str]
    bands: Mapping[str, list[int]] = field(default_factory=dict)
    tasks: tuple[str, ...] = ()

    def arguments(self, system: str) -> list[str]:
        """Return the arguments of training: a configuration, or the base and the system's name."""
        own = self.folder / f"{system}.yaml"
        if own.is_file():
            return [f"--config={own}"]
        return [f"--config={self.folder / 'base.yaml'}", f"--model.system={system}"]

    def variant(self, name: str) -> tuple[str, Variant]:
        """Return the system and the title of a configuration that is none of the paper's.

        Raises:
            InputError: If there is none of that name.
        """
        file = self.folder / f"{name}.yaml"
        if not file.is_file() or name in NO_SYSTEMS:
            fault = f"is not a system, and {file} does not exist"
            raise InputError(
                f"--systems {name}", fault, f"choose among {', '.join(system_names())}"
            )
        system = str(parse_settings([f"--config={file}"]).get("model.system", "semimtl"))
        words = name.removeprefix(f"{system}_").replace("_", " ")
        return system, Variant(name, f"{SYSTEMS[system].title}, {words}", config=name)

    def hidden(self, domain: str) -> list[str]:
        """Return the tasks whose labels in a domain are hidden from training."""
        known = self.supervised.get(domain, [])
        return [task for task in self.tasks if task not in known]

    def scenes(self, root: Path, domain: str) -> Path:
        """Return the folder with ``image/`` and labels on which a domain is evaluated."""
        return root / self.folders.get(domain, domain) / self.evaluate[domain]


def find_scenario(name: str) -> Scenario:
    """Read a scenario.

    Args:
        name: One of the packaged ones (:func:`packaged_scenarios`), or a folder with ``base.yaml``
            and perhaps ``scenario.yaml`` (title, evaluate, table, prepare).

    Raises:
        InputError: If there is none, or it cannot be used.
    """
    packaged = Path(str(resources.files("semimtl_geo.configs")))
    folder = packaged / name if name in packaged_scenarios() else Path(name)
    if not (folder / "base.yaml").is_file():
        remedy = f"name a folder with base.yaml, or one of {', '.join(packaged_scenarios())}"
        raise InputError(f"scenario {name}", "does not exist", remedy)
    # Read as in training, so that a base may have a base, too.
    settings = parse_settings([f"--config={folder / 'base.yaml'}"])
    domains = _domains(folder / "base.yaml", settings)
    about: Mapping[str, Any] = {}
    if (folder / "scenario.yaml").is_file():
        about = read_yaml(folder / "scenario.yaml")
    evaluate = about.get("evaluate") or dict.fromkeys(domains, "test")
    if not isinstance(evaluate, Mapping):
        fault = "evaluate names no splits"
        raise InputError(folder / "scenario.yaml", fault, "write evaluate: {my_city: test}")
    table = about.get("table")
    return Scenario(
        name=folder.resolve().name,
        folder=folder,
        title=str(about.get("title", folder.resolve().name)),
        evaluate={str(domain): str(split) for domain, split in evaluate.items()},
        table=int(table) if table is not None else None,
        prepare=str(about.get("prepare", "see README.md, Train on your own cities")),
        root=Path(str(settings.get("data.root", "data"))),
        supervised={name: list(domain.get("supervised", [])) for name, domain in domains.items()},
        folders={name: str(domain.get("folder") or name) for name, domain in domains.items()},
        bands={name: domain["bands"] for name, domain in domains.items() if "bands" in domain},
        tasks=_tasks(folder / "base.yaml", settings),
    )


def packaged_scenarios() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    folders = Path(str(resources.files("semimtl_geo.configs"))).iterdir()
    return sorted(folder.name for folder in folders if (folder / "base.yaml").is_file())


def _domains(base: Path, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    domains: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        if key.startswith("data.domains."):
            name, _, setting = key.removeprefix("data.domains.").partition(".")
            domain = domains.setdefault(name, {})
            if setting:
                domain[setting] = value
    if not domains:
        remedy = "write data: {domains: {my_city: {supervised: [landcover]}}}"
        raise InputError(base, "names no domains", remedy)
    return domains


def _tasks(base: Path, settings: Mapping[str, Any]) -> tuple[str, ...]:
    tasks = settings.get("model.tasks")
    try:
        return tuple(str(task["init_args"]["name"]) for task in tasks or ())
    except (KeyError, TypeError) as error:
        remedy = "give each of model.tasks a class_path, and init_args with a name"
        raise InputError(base, "has tasks without names", remedy) from error


@dataclass(frozen=True)
class Variant:
    """Variant of a system: a control, or another setting than the paper's.

    Attributes:
        name: Name of the run's folder.
        title: Title in tables.
        config: Name of the configuration in the scenario's folder; that of the system if None.
        overrides: Further arguments of training, which override those of the comparison.
    """

    name: str
    title: str
    config: str | None = None
    overrides: tuple[str, ...] = ()
