"""LSCM, language-driven semantic calibration: one file per concept."""

from __future__ import annotations

from pipeline.networks.lscm.alignment import RegionAlignment
from pipeline.networks.lscm.cross_attention import TokenCrossAttention
from pipeline.networks.lscm.lscm import LSCM
from pipeline.networks.lscm.modulation import SemanticModulation
from pipeline.networks.lscm.text_adapter import TextAdapter

__all__ = ["LSCM", "RegionAlignment", "SemanticModulation", "TextAdapter", "TokenCrossAttention"]
