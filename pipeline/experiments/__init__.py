"""Experiments of many trainings: what shall be run, running it, and repeating one.

A plan and a data set enter; a folder of trainings with their evaluations, and the comparison's report, leave. Nothing
here imports MONAI at once: the trainings run in processes of their own.
"""

from pipeline.experiments.experiment import Outcome, report_experiment, run_experiment
from pipeline.experiments.plan import FoldPlan, Plan
from pipeline.experiments.plan_file import check_seeds, read_plan
from pipeline.experiments.record import Run, read_runs
