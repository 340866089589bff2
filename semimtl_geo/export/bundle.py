"""All files of an exported network, in one folder."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from semimtl_geo.export.fixed_network import FixedNetwork
from semimtl_geo.export.hub_card import write_hub_card
from semimtl_geo.export.model_item import write_model_item
from semimtl_geo.export.onnx_files import write_onnx
from semimtl_geo.export.program import write_program
from semimtl_geo.mapping.trained_network import TrainedNetwork
from semimtl_geo.models import find_model
from semimtl_geo.networks import ModelDescription, save_model
from semimtl_geo.networks.model_card import ModelCard
from tiles.errors import InvalidValueError
from tiles.files import output_path, write_errors
from tiles.types import RasterName


def export_model(
    model: str | PathLike[str],
    out: str | PathLike[str],
    *,
    domain: str | None = None,
    raster: RasterName | None = None,
    name: str | None = None,
    description: ModelDescription | None = None,
) -> list[Path]:
    """Write a trained network for other programs.

    Optimisers, discriminators and paths of this machine are left out. The ``.safetensors`` file
    keeps the statistics of all training domains, at half precision; the others have those that are
    chosen here.

    Args:
        model: A checkpoint, a shared file, or the name of a model of the package.
        out: Folder, created if it does not exist.
        domain: Training domain whose BatchNorm statistics are fixed in the ONNX files and the
            program.
        raster: An orthophoto on which the statistics are re-estimated instead.
        name: First part of the files' names; by default the model's.
        description: Text of the model card; by default that of the model, if it has one.

    Returns:
        The files: ``NAME.safetensors``, ``NAME_<task>.onnx``, ``NAME.pt2``, ``NAME.stac.json`` and
        ``README.md``.

    Raises:
        InputError: If the model cannot be used, the network needs statistics and none are chosen,
            or a file cannot be written.

    Example:
        >>> files = export_model("semimtl.ckpt", "shared", domain="city_a", name="cities")
        >>> [file.name for file in files][:3]
        ['cities.safetensors', 'cities_landcover.onnx', 'cities_height.onnx']
    """
    path, folder = find_model(model), output_path(out)
    network = TrainedNetwork.load(path, "cpu", "float32")
    if domain is not None and raster is not None:
        fault = "cannot be given beside an orthophoto"
        raise InvalidValueError(f"domain {domain}", fault, "give one of the two")
    if domain is not None:
        network = network.for_domain(domain)
    elif raster is not None and network.needs_statistics:
        network = network.adapt(raster)
    fixed = FixedNetwork(network)
    card, name = network.card, name or path.stem
    if description is None:
        description = card.description or _default_description(name, card)
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    shared = save_model(path, folder / f"{name}.safetensors", description)
    files = {"weights": shared}
    for task in fixed.tasks:
        file = folder / f"{name}_{task.name}.onnx"
        write_onnx(FixedNetwork(network, tasks=[task.name]), file, card.gsd)
        files[f"onnx_{task.name}"] = file
    files["program"] = folder / f"{name}.pt2"
    write_program(fixed, files["program"])
    item, readme = folder / f"{name}.stac.json", folder / "README.md"
    write_model_item(item, name, card, fixed, description, files)
    write_hub_card(readme, card, description, shared, [*files.values()][1:])
    return [*files.values(), item, readme]


def _default_description(name: str, card: ModelCard) -> ModelDescription:
    """Return what is known of a network that nobody has described."""
    nobody = "Not stated."
    return ModelDescription(
        title=name,
        data=f"Scenes of the domains {', '.join(card.domains)}, by the system {card.system}.",
        licences=nobody,
        scores=nobody,
        limits=nobody,
    )
