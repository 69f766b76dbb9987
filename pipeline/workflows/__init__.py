"""Assembly: what the bundle's configs name, from the check of a command to the files that it writes."""

from pipeline.workflows.audit import TextAudit
from pipeline.workflows.audit_conditions import ConditionFeatures, audit_items, text_conditions
from pipeline.workflows.begin import begin
from pipeline.workflows.bundle_command import running_config
from pipeline.workflows.checkpoints import TrainingCheckpoints
from pipeline.workflows.data_trust import check_trust, report_labels, warn_of_leaks
from pipeline.workflows.evaluation import EvaluationReport, evaluation_about, evaluation_samples
from pipeline.workflows.evaluation_log import EvaluationLog
from pipeline.workflows.export import export_model
from pipeline.workflows.image_items import image_items, items_left
from pipeline.workflows.inferer import PromptedSlidingWindowInferer
from pipeline.workflows.micrograph_statistics import MicrographStatistics
from pipeline.workflows.model_file import load_model, model_content
from pipeline.workflows.parallel import GlobalBatchLoss, share_batch_statistics
from pipeline.workflows.patch_draws import DrawnPatches, PatchSampler
from pipeline.workflows.pictures import ValidationPictures
from pipeline.workflows.pixel_sizes import pixel_sizes, trained_pixel_sizes
from pipeline.workflows.precision import MixedPrecisionInferer
from pipeline.workflows.progress import ImageProgress
from pipeline.workflows.provenance import environment, run_parameters, versions
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.samples import encode_prompts, open_dataset, sample_items
from pipeline.workflows.scan import ScanCommand, ScanSegmentation, ScanSettings
from pipeline.workflows.schedule import warmup_cosine
from pipeline.workflows.scores import EpochMean, pore_metric
from pipeline.workflows.segmentation import SegmentationResults
from pipeline.workflows.starting_point import start_weights, warn_of_known_images
from pipeline.workflows.tracking import TrackedRun
from pipeline.workflows.training import TrainingRun
from pipeline.workflows.training_parts import training_parts

__all__ = [
    "ConditionFeatures",
    "DrawnPatches",
    "EpochMean",
    "EvaluationLog",
    "EvaluationReport",
    "GlobalBatchLoss",
    "ImageProgress",
    "MicrographStatistics",
    "MixedPrecisionInferer",
    "PatchSampler",
    "PromptedSlidingWindowInferer",
    "Ranks",
    "ScanCommand",
    "ScanSegmentation",
    "ScanSettings",
    "SegmentationResults",
    "TextAudit",
    "TrackedRun",
    "TrainingCheckpoints",
    "TrainingRun",
    "ValidationPictures",
    "audit_items",
    "begin",
    "check_trust",
    "encode_prompts",
    "environment",
    "evaluation_about",
    "evaluation_samples",
    "export_model",
    "image_items",
    "items_left",
    "load_model",
    "model_content",
    "open_dataset",
    "pixel_sizes",
    "pore_metric",
    "report_labels",
    "run_parameters",
    "running_config",
    "sample_items",
    "share_batch_statistics",
    "start_weights",
    "text_conditions",
    "trained_pixel_sizes",
    "training_parts",
    "versions",
    "warmup_cosine",
    "warn_of_known_images",
    "warn_of_leaks",
]
