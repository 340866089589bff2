"""Train land cover and heights on two cities, of which each has the labels of one task only.

python examples/train_on_two_cities.py cities runs/mine 500
"""

from __future__ import annotations

import sys

from semimtl_geo import Domain, DomainsDataModule, SemiMTL, fit
from semimtl_geo.learning import Optimisation
from semimtl_geo.networks import Encoder


def main(root: str, out: str, iterations: str) -> None:
    data = DomainsDataModule(
        root,
        {"city_a": Domain(["landcover"]), "city_b": Domain(["height"])},
        gsd=0.27,
        crop=96,
        iterations=int(iterations),
        workers=0,
    )
    model = SemiMTL.for_data(
        data,
        system="semimtl",
        encoder=Encoder("tu-resnet10t", weights=None),
        decoder_width=64,
        optimisation=Optimisation("adamw", lr=0.002),
    )
    # Run the script again after an interruption, and the training continues.
    quiet = {"enable_progress_bar": False, "enable_model_summary": False}
    print(f"trained: {fit(model, data, out, epochs=1, **quiet)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
