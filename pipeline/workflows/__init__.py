"""Assembly: what the bundle's configs name, from the check of a command to the files that it writes."""

from pipeline.bundle_files import bundle_model
from pipeline.cluster import Pool
from pipeline.engine.inferer import MicrographInferer
from pipeline.engine.precision import MixedPrecisionInferer
from pipeline.engine.prediction import PredictionSettings
from pipeline.tracking.evaluations import EvaluationLog
from pipeline.tracking.provenance import environment, run_parameters, versions
from pipeline.tracking.tracked_run import TrackedRun
from pipeline.workflows.audit import TextAudit
from pipeline.workflows.audit_conditions import ConditionFeatures, audit_items, text_conditions
from pipeline.workflows.bundle_network import BundleNetwork
from pipeline.workflows.bundle_workflow import CheckedWorkflow, running_config
from pipeline.workflows.checkpoints import TrainingCheckpoints
from pipeline.workflows.chosen_reach import chosen_reach
from pipeline.workflows.command_line import begin
from pipeline.workflows.data_trust import check_trust, report_labels, warn_of_leaks
from pipeline.workflows.evaluation import EvaluationReport, evaluation_about, evaluation_samples
from pipeline.workflows.export import check_formats, export_model
from pipeline.workflows.items import (
    asked_prompts,
    encode_prompts,
    image_items,
    items_left,
    open_dataset,
    pixel_sizes,
    sample_items,
    trained_pixel_sizes,
    usual_shading,
)
from pipeline.workflows.model_file import load_model, model_content
from pipeline.workflows.patch_draws import DrawnPatches, DrawPlan, PatchSampler
from pipeline.workflows.plain_masks import PlainMasks
from pipeline.workflows.progress import ImageProgress, ValidationPictures
from pipeline.workflows.ranks import GlobalBatchLoss, Ranks, share_batch_statistics
from pipeline.workflows.scan import ScanCommand, ScanSegmentation, ScanSettings, chosen_phases
from pipeline.workflows.starting_point import start_weights, training_parts, warn_of_known_images
from pipeline.workflows.training import EpochMean, TrainingRun, validation_metrics, warmup_cosine
from pipeline.workflows.training_look import describe_training
