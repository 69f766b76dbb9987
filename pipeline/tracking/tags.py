"""What the runs of an MLflow store are named by: tags and folders of artifacts."""

from __future__ import annotations

#: folder of a run's artifacts with the files of its evaluation
EVALUATION_FOLDER = "evaluation"

#: what the name of an experiment with repeated runs ends with
RERUNS = " reruns"

#: folder of the parent run's artifacts with the report
COMPARISON_FOLDER = "comparison"

VARIANT, SEED, FOLD = "variant", "seed", "fold"
PARENT = "mlflow.parentRunId"

#: the part of the data that a run was evaluated on
EVALUATED = "evaluated_split"
#: the training of a run that is a further evaluation of it, and no training itself
TRAINING = "training"
