"""Trained networks as files for other programs: ONNX, PyTorch programs, and their descriptions.

:func:`export_model` writes a folder with a network for each kind of user: ``.onnx`` files for the
QGIS plugin Deepness and onnxruntime, a ``.pt2`` program that needs PyTorch alone, the
``.safetensors`` file that :class:`semimtl_geo.Mapper` reads, a STAC Item with the Machine Learning
Model extension, and a model card for the Hugging Face hub.
"""

from __future__ import annotations

from semimtl_geo.export.bundle import export_model
from semimtl_geo.export.fixed_network import FixedNetwork
from semimtl_geo.export.onnx_files import write_onnx

__all__ = ["FixedNetwork", "export_model", "write_onnx"]
