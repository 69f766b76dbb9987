"""Assembly: what the bundle's configs name, from the check of a command to the files that it writes.

Each is loaded when it is first used: a scan needs neither MLflow's database nor what trains.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

#: modules, and what configs name of each
_NAMES = {
    "pipeline.bundle_files": ["bundle_model"],
    "pipeline.cluster": ["Pool"],
    "pipeline.engine.inferer": ["MicrographInferer"],
    "pipeline.engine.prediction": ["PredictionSettings"],
    "pipeline.tracking.evaluations": ["EvaluationLog"],
    "pipeline.tracking.provenance": ["environment", "run_parameters", "versions"],
    "pipeline.tracking.tracked_run": ["TrackedRun"],
    "pipeline.workflows.audit": ["TextAudit"],
    "pipeline.workflows.audit_conditions": ["ConditionFeatures", "audit_items", "text_conditions"],
    "pipeline.workflows.averaging": ["AverageWarmUp"],
    "pipeline.workflows.bundle_network": ["BundleNetwork"],
    "pipeline.workflows.bundle_workflow": ["CheckedWorkflow", "running_config"],
    "pipeline.workflows.checkpoints": ["TrainingCheckpoints", "begun_before"],
    "pipeline.workflows.command_line": ["begin"],
    "pipeline.workflows.data_trust": ["check_trust", "report_labels", "warn_of_leaks"],
    "pipeline.workflows.earlier_answers": ["TrainingInferer", "earlier_model"],
    "pipeline.workflows.evaluation": ["EvaluationReport", "evaluation_about", "evaluation_samples"],
    "pipeline.workflows.export": ["check_formats", "export_model"],
    "pipeline.workflows.items": [
        "asked_prompts",
        "encode_prompts",
        "image_items",
        "items_left",
        "open_dataset",
        "pixel_sizes",
        "sample_items",
        "trained_pixel_sizes",
        "usual_shading",
    ],
    "pipeline.workflows.model_file": ["load_model", "model_content"],
    "pipeline.workflows.patch_draws": ["DrawnPatches", "DrawPlan", "PatchSampler"],
    "pipeline.workflows.plain_masks": ["PlainMasks"],
    "pipeline.workflows.progress": ["ImageProgress", "ValidationPictures"],
    "pipeline.workflows.ranks": ["GlobalBatchLoss", "Ranks", "share_batch_statistics"],
    "pipeline.workflows.reach_choice": ["chosen_reach"],
    "pipeline.workflows.scan": ["ScanCommand", "ScanSegmentation", "ScanSettings", "chosen_phases"],
    "pipeline.workflows.starting_point": ["start_weights", "training_parts", "warn_of_known_images"],
    "pipeline.workflows.training": [
        "EpochMean",
        "EpochValidation",
        "TrainingRun",
        "validation_metrics",
        "warmup_cosine",
    ],
    "pipeline.workflows.training_look": ["describe_training"],
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
