"""The report of a comparison: its tables, what they say, and how far the figures reach."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import rasterio
from budget import EPOCHS, METHOD, Plan, medians
from height_baselines import constant
from measuring import made_on, table
from orderings import LONGER, beyond, controls, differences, in_short, orderings
from rasters import read_band
from survey import SMEAR

from semimtl_geo.class_schemes import ISPRS
from semimtl_geo.compare import to_markdown
from semimtl_geo.compare.averages import make_table, rows_of_seeds
from semimtl_geo.compare.comparison import Comparison, Outcome
from semimtl_geo.compare.table import Row
from semimtl_geo.learning.consistency import Consistency
from semimtl_geo.learning.systems import SYSTEMS
from semimtl_geo.training.cli import parse_settings


def account(
    outcomes: Sequence[Outcome], comparison: Comparison, plan: Plan, *, noise: float
) -> list[str]:
    """The lines of the whole text.

    Args:
        outcomes: Of all runs.
        comparison: What they had in common.
        plan: How long they were trained.
        noise: Of the heights that were learned from, in metres.
    """
    rows, seeds = make_table(outcomes), rows_of_seeds(outcomes)
    methods = list(dict.fromkeys(row.method for row in rows))
    extra = [o.run.title for o in outcomes if o.run.variant and o.run.title != LONGER]
    further = beyond(seeds, list(dict.fromkeys(extra)))
    (split,) = {
        {"test": "test", "val": "validation"}[s] for s in comparison.scenario.evaluate.values()
    }
    constants = [
        constant(comparison.data, city, part) for city, part in comparison.scenario.evaluate.items()
    ]
    return [
        f"The synthetic cities ({training_scenes(comparison)}), {plan.precision}, "
        f"{EPOCHS * plan.iterations} iterations of each of the paper's systems, "
        f"{len(comparison.seeds)} seeds, scored on {split} scenes. "
        f"Planned for {plan.minutes:g} minutes, {plan.processes} runs in parallel.",
        "",
        "The seed sets the initial weights, the sampled chips and the augmentation. The intervals "
        "cover this variation only, for these two cities and these scenes; they say nothing about "
        "other cities. They are not corrected for multiple comparisons: about one in twenty "
        "excludes 0 although there is no difference. Some test scenes are also used in the demo. "
        "The recommended configuration was chosen on validation scenes with both labels in both "
        "cities, which a user may not have; benchmarks/tried.md lists everything that was tried.",
        "",
        heights(comparison, noise),
        "",
        "## Scores",
        "",
        "Mean ± standard deviation over seeds. City A has only land-cover labels and city B only "
        "heights: B's mIoU and A's RMSE measure the tasks without labels.",
        "",
        *in_short([*rows, *constants]),
        "",
        "IoU of each class, means over seeds:",
        "",
        *class_table(rows),
        "",
        "All of the paper's columns:",
        "",
        *to_markdown(rows).splitlines(),
        "",
        f"## Differences to {LONGER}",
        "",
        "Differences of the same seed, mean ± half of the 95 % interval (Student's t); above 0 is "
        "better, also of RMSE. (?): the interval contains 0. The paper's systems had the "
        "iterations above, which took some of them less time (see Time).",
        "",
        *differences(seeds, methods, LONGER),
        "",
        "## Which of the paper's orderings hold",
        "",
        "Systems are compared after equally many iterations. ΔM is relative to single-task "
        "networks with the BatchNorm statistics of their training domain, so it includes what "
        "re-estimating those statistics alone would gain.",
        "",
        *(f"- {sentence}" for sentence in orderings(seeds)),
        "",
        f"Against the controls (statistics are re-estimated on the {split} images):",
        "",
        *(f"- {sentence}" for sentence in controls(seeds)),
        "",
        *(["## Beyond the paper", "", *(f"- {text}" for text in further), ""] if further else []),
        "## Time",
        "",
        f"Iterations, and medians of their duration over seeds. *{LONGER}* and the configurations "
        "beyond the paper got as many iterations as were predicted to take SemiMTL's training "
        "time; the last column is the measured time divided by SemiMTL's.",
        "",
        *times(outcomes),
        "",
        made_on(["lightning", "semimtl-geo"]),
    ]


def class_table(rows: Sequence[Row]) -> list[str]:
    """Return a table of the IoU of each class, where land cover is predicted."""
    names = list(dict.fromkeys(name for row in rows for name in row.classes))
    lines = []
    for row in sorted((row for row in rows if row.classes), key=lambda row: row.domain):
        cells = [row.classes.get(name, math.nan) for name in names]
        shown = ["-" if math.isnan(cell) else f"{cell:.1f}" for cell in cells]
        lines.append((row.domain, row.method, *shown))
    return table(("domain", "method", *names), lines)


def training_scenes(comparison: Comparison) -> str:
    """Return a sentence on the training scenes."""
    folder = next(iter(sorted(comparison.data.glob("*/train/image"))))
    files = sorted(folder.glob("*.tif"))
    with rasterio.open(files[0]) as scene:
        ground = round(scene.width * scene.res[0])
    return f"{len(files)} training scenes of {ground} m of each"


def heights(comparison: Comparison, noise: float) -> str:
    """Describe how far the training heights agree with the recommended prior."""
    prior = recommended_prior(comparison)
    parts = []
    for city in comparison.scenario.supervised:
        outside = total = 0
        sums, counts = np.zeros(len(ISPRS.names)), np.zeros(len(ISPRS.names))
        for file in sorted((comparison.data / city / "train" / "height").glob("*.tif")):
            metres = read_band(file)
            classes = read_band(file.parents[1] / "landcover" / file.name)
            for number, name in enumerate(ISPRS.names):
                of_class = metres[classes == number]
                sums[number] += of_class.sum(dtype=float)
                counts[number] += of_class.size
                if name in prior.heights:
                    low, high = prior.heights[name]
                    away = np.maximum(low - of_class, of_class - high)
                    outside += int((away > prior.tolerance).sum())
                    total += of_class.size
        mean = dict(zip(ISPRS.names, sums / counts.clip(1), strict=True))
        parts.append(
            f"on {city} {outside / total:.2%} of the pixels of its classes are more than "
            f"{prior.tolerance:g} m outside of their range, buildings are {mean['building']:.1f} m "
            f"and trees {mean['tree']:.1f} m high in the mean"
        )
    survey = (
        f" Heights that are learned from were smoothed by a Gaussian of {SMEAR:g} m and have noise "
        f"of {noise:g} m; those that are scored on do not."
    )
    return (
        f"Agreement of these cities' heights with the prior of the recommended configuration: "
        f"{'; '.join(parts)}. Real heights agree less.{survey if noise else ''}"
    )


def recommended_prior(comparison: Comparison) -> Consistency:
    """The prior of `configs/cities/recommended.yaml`."""
    settings = parse_settings(comparison.scenario.arguments("recommended"))
    prior = settings["model"]["consistency"]
    return Consistency(prior["heights"], tolerance=prior["tolerance"])


def times(outcomes: Sequence[Outcome]) -> list[str]:
    """A table of what training took."""
    steps = medians(outcomes, lambda run: run.title)
    iterations = {outcome.run.title: _iterations(outcome) for outcome in outcomes}
    # A run that was killed as it ended does not know its step.
    seconds = {title: n * steps.get(title, math.nan) for title, n in iterations.items()}
    whole = seconds[SYSTEMS[METHOD].title]
    rows = [
        (title, f"{n}", f"{1000 * s / n:.0f}", f"{s:.0f}", f"{s / whole:.2f}")
        for (title, n), s in zip(iterations.items(), seconds.values(), strict=True)
    ]
    return table(("method", "iterations", "ms per iteration", "seconds", "over SemiMTL"), rows)


def _iterations(outcome: Outcome) -> int:
    settings = parse_settings([f"--config={outcome.checkpoint.with_name('config.yaml')}"])
    return int(settings["data"]["iterations"]) * int(settings["trainer"]["max_epochs"])
