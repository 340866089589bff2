"""Networks that know both cities, with BatchNorm statistics estimated on the images they map.

Whether that gains anything is another question than what it does for a single-task network, which
has no statistics of the other city at all.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

from measuring import say

from semimtl_geo.compare.comparison import Comparison, Outcome
from semimtl_geo.compare.runs import read_json, write_json
from semimtl_geo.compare.scoring import REESTIMATED, evaluated_scenes
from semimtl_geo.compare.table import Row, make_row
from semimtl_geo.mapping.evaluation import evaluate
from semimtl_geo.mapping.mapper import Mapper


def reestimated(outcome: Outcome, comparison: Comparison) -> Outcome:
    """Adds rows: the same network with statistics estimated anew.

    Args:
        outcome: What was trained, with BatchNorm statistics of each city.
        comparison: What it has in common with others.
    """
    method = outcome.run.title + REESTIMATED
    file = comparison.folder(outcome.run) / "scores" / "reestimated.json"
    of = {domain: evaluated_scenes(domain, comparison) for domain in comparison.scenario.evaluate}
    found = read_json(file)
    if found.get("of") != of:
        say(f"map with statistics re-estimated: {outcome.run.title}, seed {outcome.run.seed}")
        mapper = Mapper.load(outcome.checkpoint)
        found = {
            "of": of,
            "rows": [asdict(_row(mapper, method, domain, comparison)) for domain in of],
        }
        write_json(file, found)
    return replace(outcome, rows=[*outcome.rows, *(Row(**row) for row in found["rows"])])


def _row(mapper: Mapper, method: str, domain: str, comparison: Comparison) -> Row:
    """The scores on one domain."""
    with tempfile.TemporaryDirectory() as maps:
        scenes = comparison.scenario.scenes(comparison.data, domain)
        # Without the name of a domain, statistics are estimated on what is mapped.
        scores = evaluate(mapper, scenes, Path(maps), None, comparison.scenario.bands.get(domain))
    return make_row(domain, method, scores)
