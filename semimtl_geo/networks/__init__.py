"""The networks: generator (encoder, one decoder per task), discriminators, and their files.

It may import :mod:`semimtl_geo.tasks` and the root modules of ``tiles``.
"""

from __future__ import annotations

from semimtl_geo.networks.batchnorm import BatchNormMode, DomainBatchNorm, reestimate
from semimtl_geo.networks.checkpoint import load_networks
from semimtl_geo.networks.description import ModelDescription
from semimtl_geo.networks.discriminator import Discriminator
from semimtl_geo.networks.encoder import Encoder
from semimtl_geo.networks.generator import Generator
from semimtl_geo.networks.model_card import ModelCard
from semimtl_geo.networks.sharing import save_model

__all__ = [
    "BatchNormMode",
    "Discriminator",
    "DomainBatchNorm",
    "Encoder",
    "Generator",
    "ModelCard",
    "ModelDescription",
    "load_networks",
    "reestimate",
    "save_model",
]
