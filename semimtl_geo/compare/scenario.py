"""Scenarios: a configuration, those that change it, and the domains of the evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as checked_dataclass

from semimtl_geo.learning.systems import SYSTEMS, system_names
from semimtl_geo.training.cli import parse_settings
from tiles.errors import InputError
from tiles.settings import read_settings_file

NO_SYSTEMS: Final = ("base", "scenario")
"""Files in a scenario's folder that are no variant of a system."""


@checked_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Description:
    """Content of ``scenario.yaml``: what a comparison must know besides the configurations.

    Attributes:
        title: In words; the name of the folder if None.
        evaluate: The split on which each domain is evaluated; all on ``test`` if there is none.
        table: Number of the paper's table, if it is one of the paper's.
        prepare: Command that prepares the data.
    """

    title: str | None = None
    evaluate: dict[str, str] = field(default_factory=dict)
    table: int | None = None
    prepare: str = "see docs/own_cities.md"


@dataclass(frozen=True)
class Scenario:
    """A folder of configurations.

    Attributes:
        name: Name of the folder.
        folder: Folder with ``base.yaml``, and perhaps files that change it.
        title: Title in words.
        evaluate: The split on which each domain is evaluated.
        table: Number of the paper's table, if it is one of the paper's.
        prepare: Command that prepares the data.
        root: Expected folder of the data.
        supervised: Per domain, the tasks whose labels training may use.
        folders: Per domain, its folder in the root.
        bands: Per domain, the bands to read.
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
        """Return the training arguments of a system, or of a configuration in this folder."""
        base, own = f"--config={self.folder / 'base.yaml'}", self.folder / f"{system}.yaml"
        return [base, f"--config={own}" if own.is_file() else f"--model.system={system}"]

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
        settings = parse_settings(["--data.root=data", *self.arguments(name)])
        system = settings["model"]["system"]
        words = name.removeprefix(f"{system}_").replace("_", " ")
        return system, Variant(name, f"{SYSTEMS[system].title}, {words}", config=name)

    def hidden(self, domain: str) -> list[str]:
        """Return the tasks whose labels in a domain are hidden from training."""
        known = self.supervised.get(domain, [])
        return [task for task in self.tasks if task not in known]

    def scenes(self, root: Path, domain: str) -> Path:
        """Return the folder with ``image/`` and labels on which a domain is evaluated."""
        return root / self.folders.get(domain, domain) / self.evaluate[domain]


def find_scenario(name: str, overrides: Sequence[str] = ()) -> Scenario:
    """Read a scenario.

    Args:
        name: One of the packaged ones (:func:`packaged_scenarios`), or a folder with ``base.yaml``
            and perhaps ``scenario.yaml`` (title, evaluate, table, prepare).
        overrides: Further arguments of training, which may change what is supervised where.

    Raises:
        InputError: If there is none, or it cannot be used.

    Example:
        >>> towns = find_scenario("towns")
        >>> towns.hidden("eugene")
        ['height']
        >>> find_scenario("towns", ["--data.domains.eugene.supervised=[]"]).hidden("eugene")
        ['landcover', 'height']
    """
    packaged = Path(str(resources.files("semimtl_geo.configs")))
    folder = packaged / name if name in packaged_scenarios() else Path(name)
    if not (folder / "base.yaml").is_file():
        remedy = f"name a folder with base.yaml, or one of {', '.join(packaged_scenarios())}"
        raise InputError(f"scenario {name}", "does not exist", remedy)
    # A later value of the base replaces the default of the root.
    base = f"--config={folder / 'base.yaml'}"
    settings = parse_settings(["--data.root=data", base, *overrides])
    domains = settings["data"]["domains"]
    description = Description()
    if (folder / "scenario.yaml").is_file():
        remedy = "see the ones in configs/"
        description = read_settings_file(folder / "scenario.yaml", Description, remedy)
    return Scenario(
        name=folder.resolve().name,
        folder=folder,
        title=description.title or folder.resolve().name,
        evaluate=description.evaluate or dict.fromkeys(domains, "test"),
        table=description.table,
        prepare=description.prepare,
        root=Path(settings["data"]["root"]),
        supervised={name: domain["supervised"] for name, domain in domains.items()},
        folders={name: domain.get("folder") or name for name, domain in domains.items()},
        bands={name: domain["bands"] for name, domain in domains.items()},
        tasks=tuple(task["init_args"]["name"] for task in settings["model"]["tasks"]),
    )


def packaged_scenarios() -> list[str]:
    """Return the names of the scenarios that come with the package."""
    folders = Path(str(resources.files("semimtl_geo.configs"))).iterdir()
    return sorted(folder.name for folder in folders if (folder / "base.yaml").is_file())


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
