"""The networks and their loss: tensors in, tensors out, no files and no options.

Images (N, C, H, W), text features (N, D) and tokens (N, L, D) enter; logits leave, and in training the alignment loss.
No language model is part of a forward pass. A new network goes into `factory.py`, a part of VLSE-Net into `vlsenet.py`
or `lscm.py` with a switch in `switches.py`. `docs/method.md` says where they differ from the published method. What a
network computes is held by `tests/networks/golden.json`.
"""

from pipeline.networks.blocks import memory_format
from pipeline.networks.factory import (
    NETWORKS,
    build_network,
    check_features,
    equal_unet_features,
    parameter_count,
    parameters_of,
    preset_features,
    reads_text,
)
from pipeline.networks.inference import fuse_norms, inference_form
from pipeline.networks.inputs import SegmentationOutput
from pipeline.networks.losses import SegmentationLoss
from pipeline.networks.pinning import pin_statistics, pinned_with_answer, reads_tile
from pipeline.networks.surroundings import reach_of
from pipeline.networks.switches import Switches, changed_switches
from pipeline.networks.vlsenet import VLSENet
