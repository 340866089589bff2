"""All files of an exported network, in one folder."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from semimtl_geo.export.fixed_network import FixedNetwork
from semimtl_geo.export.hub_card import check_hub_card, write_hub_card
from semimtl_geo.export.model_item import write_model_item
from semimtl_geo.export.onnx_files import check_onnx, write_onnx
from semimtl_geo.export.program import write_program
from semimtl_geo.mapping.names import check_name
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
        The files: ``NAME.safetensors``, ``NAME.pt2``, ``NAME_<task>.onnx``, ``NAME.stac.json`` and
        ``README.md``.

    Raises:
        InputError: If the model cannot be used, the network needs statistics and none are chosen,
            or a file cannot be written.

    Example:
        >>> files = export_model("semimtl.ckpt", "shared", domain="city_a", name="cities")
        >>> [file.name for file in files][:3]
        ['cities.safetensors', 'cities.pt2', 'cities_landcover.onnx']
    """
    path, folder = find_model(model), output_path(out)
    name = check_name(name, [path], "name")
    if domain is not None and raster is not None:
        fault = "cannot be given beside an orthophoto"
        raise InvalidValueError(f"domain {domain}", fault, "give one of the two")
    check_onnx()
    check_hub_card(folder / "README.md")
    network = TrainedNetwork.load(path, "cpu", "float32")
    if domain is not None:
        network = network.for_domain(domain)
    elif raster is not None:
        if not network.needs_statistics:
            fault = "is not needed: the network has one set of BatchNorm statistics"
            raise InvalidValueError(f"orthophoto {raster}", fault, "leave it out")
        network = network.adapt(raster)
    fixed, card = FixedNetwork(network), network.card
    description = description or _described(name, card)
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    files = {"weights": save_model(path, folder / f"{name}.safetensors", description)}
    files["program"] = folder / f"{name}.pt2"
    write_program(fixed, files["program"])
    for task in fixed.tasks:
        files[f"onnx_{task.name}"] = folder / f"{name}_{task.name}.onnx"
        one = FixedNetwork(network, tasks=[task.name])
        write_onnx(one, files[f"onnx_{task.name}"], card.gsd)
    item, readme = folder / f"{name}.stac.json", folder / "README.md"
    write_model_item(item, name, card, fixed, description, files)
    shared, *others = files.values()
    write_hub_card(readme, card, description, shared, others, fixed)
    return [*files.values(), item, readme]


def _described(name: str, card: ModelCard) -> ModelDescription:
    """Return the description of a network, or what is known of one that nobody has described."""
    not_stated = "Not stated."
    return card.description or ModelDescription(
        title=name,
        data=f"Scenes of the domains {', '.join(card.domains)}, by the system {card.system}.",
        licences=not_stated,
        scores=not_stated,
        limits=not_stated,
    )
