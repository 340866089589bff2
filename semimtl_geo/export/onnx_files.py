"""ONNX files, one per task, as the QGIS plugin Deepness and onnxruntime read them."""

from __future__ import annotations

import json
import math
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import torch

from semimtl_geo.export.fixed_network import FixedNetwork
from semimtl_geo.tasks import Segmentation, Task
from tiles.errors import InputError, MissingFileError
from tiles.files import atomic_write, write_errors

OPSET: Final = 17
IR_VERSION: Final = 8
"""Supported since onnxruntime 1.13, which Deepness installs in old versions of QGIS."""


def write_onnx(network: FixedNetwork, file: Path, gsd: float | None) -> None:
    """Write a network of one task, with what Deepness wants to know of it.

    Args:
        network: The network, which answers one task.
        file: The file.
        gsd: Metres per pixel of the input, if it has a size on the ground.

    Raises:
        InputError: If the file cannot be written, or ONNX cannot express the network.
        MissingFileError: If the package onnx is not installed (:func:`check_onnx`).

    Example:
        >>> from semimtl_geo import Mapper
        >>> trained = Mapper.load("semimtl.ckpt", "cpu").for_domain("city_a")
        >>> write_onnx(FixedNetwork(trained, tasks=["height"]), Path("height.onnx"), gsd=0.27)
        >>> import onnxruntime
        >>> onnxruntime.InferenceSession("height.onnx").get_inputs()[0].shape
        [1, 3, 32, 32]
    """
    check_onnx()
    import onnx

    (task,) = network.tasks
    image = network.example()
    with write_errors(file), atomic_write(file) as part:
        with warnings.catch_warnings(), torch.no_grad():
            # Ignore the tracer's warnings about constants: all sizes are fixed.
            warnings.simplefilter("ignore")
            # Trace first: during export, PSPNet's decoder takes another code path, which fails.
            plain = network.without_adaptive_pooling()
            # PyTorch does not annotate this function. Its check would run the network twice more.
            traced = torch.jit.trace(plain, image, check_trace=False)  # type: ignore[no-untyped-call]
            try:
                torch.onnx.export(
                    traced,
                    (image,),
                    str(part),
                    opset_version=OPSET,
                    dynamo=False,
                    input_names=["image"],
                    output_names=[task.name],
                )
            except torch.onnx.errors.OnnxExporterError as error:
                fault = f"cannot be expressed in ONNX ({str(error).splitlines()[0][:200]})"
                raise InputError(file, fault, "use the .pt2 program instead") from error
        model = onnx.load(part)
        model.ir_version = IR_VERSION
        for key, value in metadata(network, task, gsd).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, json.dumps(value)
        onnx.checker.check_model(model)
        onnx.save(model, part)


def check_onnx() -> None:
    """Check that the package onnx is installed.

    Raises:
        MissingFileError: If it is not.

    Example:
        >>> check_onnx()
    """
    if find_spec("onnx") is None:
        remedy = "install it: pip install 'semimtl-geo[export]'"
        raise MissingFileError("onnx", "is not installed", remedy)


def metadata(network: FixedNetwork, task: Task, gsd: float | None) -> dict[str, Any]:
    """Return the entries that Deepness reads, by their keys.

    Args:
        network: The network.
        task: The task that the network answers.
        gsd: Metres per pixel of the input, if it has a size on the ground.
    """
    common: dict[str, Any] = {
        # Its manual says tiles_size, its code reads tile_size.
        "tile_size": network.tile,
        "tiles_size": network.tile,
        "tiles_overlap": math.ceil(100 * network.overlap / network.tile),
        "batchnorm_statistics": network.statistics,
    }
    if gsd is not None:
        common["resolution"] = 100 * gsd
    if isinstance(task, Segmentation):
        return {
            "model_type": "Segmentor",
            "class_names": {str(number): name for number, name in enumerate(task.classes)},
            # The likeliest class of each pixel, however unlikely, and no smoothing.
            "seg_thresh": 0.0,
            "seg_small_segment": 0,
            **common,
        }
    return {
        "model_type": "Regressor",
        "class_names": {"0": task.name},
        "reg_output_scaling": 1.0,
        **common,
    }
