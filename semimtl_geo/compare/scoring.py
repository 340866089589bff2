"""What a trained run is worth: the scenes of every domain, mapped and compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from semimtl_geo.compare.job import Job, Run, Say
from semimtl_geo.compare.runs import read_json, write_json
from semimtl_geo.compare.table import Row, make_row
from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.mapping.mapper import Mapper

REESTIMATED: Final = ", statistics re-estimated"
"""Added to the name of a single-task network that was given the new city's BatchNorm statistics."""


def score_run(run: Run, job: Job, say: Say) -> tuple[list[Row], list[dict[str, Any]]]:
    """Map and score the scenes of every domain, as far as it is not done.

    Args:
        run: Which has been trained.
        job: What it has in common with others.
        say: Is told how far it is.

    Returns:
        Its scores on all domains, and the settings of the tasks that it predicts.

    Raises:
        InputError: If data cannot be used.
    """
    rows: list[Row] = []
    tasks: list[dict[str, Any]] = []
    mapper = None
    for domain in job.scenario.evaluate:
        file = job.folder(run) / "scores" / f"{domain}.json"
        found = read_json(file)
        of = scored_on(domain, job)
        if any(found.get(key) != value for key, value in of.items()):
            mapper = mapper or Mapper.load(job.checkpoint(run))
            scored = _score(mapper, domain, run, job, say)
            found = {
                **of,
                "tasks": [task.settings() for task in mapper.card.tasks],
                "rows": [asdict(row) for row in scored],
            }
            write_json(file, found)
        rows += [Row(**row) for row in found["rows"]]
        tasks = found["tasks"]
    return rows, tasks


def scored_on(domain: str, job: Job) -> dict[str, Any]:
    """What scores are of: scenes may be added later, which other systems are then scored on."""
    images = [image.name for image in job.images(domain)]
    return {"split": job.scenario.evaluate[domain], "scenes": images}


def _score(mapper: Mapper, domain: str, run: Run, job: Job, say: Say) -> list[Row]:
    """Map the scenes of a domain, and compare with the truth."""
    title, card = run.title, mapper.card
    # A network that never saw the domain: as it stands, and with the domain's statistics, so that
    # nobody takes their effect for a method's.
    known = domain in card.domains
    own = domain if known else card.domains[0]
    variants = [(title, mapper, own if card.batchnorm == "per_domain" else None)]
    if not known and (card.batchnorm == "per_domain" or len(card.domains) == 1):
        # With a single domain, all modes are statistics per domain, whatever the mode is called.
        plain = replace(card, batchnorm="per_domain")
        free = Mapper(plain, mapper.generator, source=mapper.source, device=str(mapper.device))
        variants.append((title + REESTIMATED, free, None))
    seed = f", seed {run.seed}" if len(job.seeds) > 1 else ""
    rows = []
    for method, network, statistics in variants:
        maps = job.maps(method, run.seed, domain)
        scores = evaluate(
            network,
            job.scenario.scenes(job.data, domain),
            maps,
            statistics,
            job.scenario.bands.get(domain),
            progress=partial(say, f"map {domain}, {method}{seed}", "scenes"),
        )
        rows.append(make_row(domain, method, scores))
        if not job.keep_maps:
            _drop(maps, [image.stem for image in job.shown(domain)])
    return rows


def _drop(maps: Path, keep: Sequence[str]) -> None:
    """Delete maps: of thousands of street views they would fill a disk."""
    for file in maps.iterdir():
        if file.is_file() and not any(file.name.startswith(f"{stem}_") for stem in keep):
            file.unlink()
