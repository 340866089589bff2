"""Scores of a trained run: the scenes of every domain, mapped and compared with the labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from semimtl_geo.compare.comparison import Comparison, ReportProgress, Run
from semimtl_geo.compare.runs import read_json, write_json
from semimtl_geo.compare.table import Row, make_row
from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.mapping.mapper import Mapper

REESTIMATED: Final = ", statistics re-estimated"
"""Suffix of a single-task network whose BatchNorm statistics were re-estimated in a new city."""


def score_run(
    run: Run, comparison: Comparison, report_progress: ReportProgress
) -> tuple[list[Row], list[dict[str, Any]]]:
    """Map and score the scenes of every domain unless they are scored already.

    Args:
        run: A trained run.
        comparison: Settings that all runs share.
        report_progress: Function that is called with the progress.

    Returns:
        Scores on all domains, and the settings of the predicted tasks.

    Raises:
        InputError: If data cannot be used.
    """
    rows: list[Row] = []
    tasks: list[dict[str, Any]] = []
    mapper = None
    for domain in comparison.scenario.evaluate:
        file = comparison.folder(run) / "scores" / f"{domain}.json"
        found = read_json(file)
        of = evaluated_scenes(domain, comparison)
        if any(found.get(key) != value for key, value in of.items()):
            mapper = mapper or Mapper.load(comparison.checkpoint(run))
            scored = _score(mapper, domain, run, comparison, report_progress)
            found = {
                **of,
                "tasks": [task.settings() for task in mapper.card.tasks],
                "rows": [asdict(row) for row in scored],
            }
            write_json(file, found)
        rows += [Row(**row) for row in found["rows"]]
        tasks = found["tasks"]
    return rows, tasks


def evaluated_scenes(domain: str, comparison: Comparison) -> dict[str, Any]:
    """Return a digest of the evaluated scenes: scores of other scenes cannot be compared."""
    images = [image.name for image in comparison.images(domain)]
    return {"split": comparison.scenario.evaluate[domain], "scenes": images}


def _score(
    mapper: Mapper, domain: str, run: Run, comparison: Comparison, report_progress: ReportProgress
) -> list[Row]:
    """Map the scenes of a domain and compare the maps with the labels."""
    title, card = run.title, mapper.card
    # A network that never saw the domain is scored as it is and with re-estimated statistics, so
    # that their effect is not attributed to another method.
    known = domain in card.domains
    own = domain if known else card.domains[0]
    variants = [(title, mapper, own if card.batchnorm == "per_domain" else None)]
    if not known and (card.batchnorm == "per_domain" or len(card.domains) == 1):
        # With a single domain, every mode of BatchNorm has statistics per domain.
        plain = replace(card, batchnorm="per_domain")
        free = Mapper(
            plain,
            mapper.generator,
            source=mapper.source,
            device=mapper.device,
            precision=mapper.precision,
        )
        variants.append((title + REESTIMATED, free, None))
    seed = f", seed {run.seed}" if len(comparison.seeds) > 1 else ""
    rows = []
    for method, network, statistics in variants:
        maps = comparison.maps(method, run.seed, domain)
        scores = evaluate(
            network,
            comparison.scenario.scenes(comparison.data, domain),
            maps,
            statistics,
            comparison.scenario.bands.get(domain),
            progress=partial(report_progress, f"map {domain}, {method}{seed}", "scenes"),
        )
        rows.append(make_row(domain, method, scores))
        if not comparison.keep_maps:
            _delete_maps(maps, [image.stem for image in comparison.shown(domain)])
    return rows


def _delete_maps(maps: Path, keep: Sequence[str]) -> None:
    """Delete all maps but those to keep: maps of thousands of street views would fill a disk."""
    for file in maps.iterdir():
        if file.is_file() and not any(file.name.startswith(f"{stem}_") for stem in keep):
            file.unlink()
