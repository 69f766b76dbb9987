"""How good a pore mask is.

Masks (or probabilities) and the truth of an image enter; counts leave that add with `+`, so that pooled scores are
those of all pixels. `pore_scores.py` holds all that an evaluation counts; a new metric is a module and a field there.
`threshold.py` chooses a model's threshold, `phase_metrics.py` is the door for MONAI's evaluators.
"""

from pipeline.metrics.calibration import Calibration
from pipeline.metrics.phase_metrics import PhaseMetrics
from pipeline.metrics.pore_counts import PoreCounts
from pipeline.metrics.pore_objects import TruePores
from pipeline.metrics.pore_scores import PoreScores, Tolerances
from pipeline.metrics.threshold import ProbabilityHistogram, otsu_mask
