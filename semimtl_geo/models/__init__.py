"""Trained models that come with the package, by name, and the lookup of models in general.

Each model is a file ``NAME.safetensors`` beside its card, ``NAME.md``, which names the data that it
was trained on, their licences, its scores and its limits. It may import the root modules of
``tiles``.
"""

from __future__ import annotations

from semimtl_geo.models.lookup import find_model, model_names

__all__ = ["find_model", "model_names"]
