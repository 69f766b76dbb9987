"""A trained network for other programs: `torch.export`, ONNX and TorchScript, each checked against PyTorch."""

from __future__ import annotations

from pipeline.workflows.export.checked_export import MANIFEST, export_model
from pipeline.workflows.export.export_formats import FORMATS, check_formats
from pipeline.workflows.export.exported_graph import ExportSource, PoreProbability

__all__ = ["FORMATS", "MANIFEST", "ExportSource", "PoreProbability", "check_formats", "export_model"]
