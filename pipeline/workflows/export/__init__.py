"""A trained network for other programs: `torch.export`, ONNX and TorchScript, each checked against PyTorch.

The graph gives an image's probability of each phase with the prompts built in, which serves programs that know no
prompts. Its sizes are free because of how the networks are written (`networks/inputs.py`). Norms are not folded before:
ONNX Runtime does it. A new format is an entry of `FORMATS` in `export_formats.py`.
"""

from pipeline.workflows.export.checked_export import MANIFEST, export_model
from pipeline.workflows.export.export_formats import FORMATS, check_formats
from pipeline.workflows.export.exported_graph import PhaseProbability, PhaseProbabilityOfWhole
