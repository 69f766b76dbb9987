"""Experiments of many trainings: what shall be run, running it, and the table of results.

Nothing here imports MONAI at once: the trainings run in processes of their own.
"""

from pipeline.experiments.check import check_runs
from pipeline.experiments.plan import Plan, Run, read_plan
from pipeline.experiments.record import Record, read_records
from pipeline.experiments.runner import Runner
from pipeline.experiments.table import markdown, run_table, summary_table, write_tables

__all__ = [
    "Plan",
    "Record",
    "Run",
    "Runner",
    "check_runs",
    "markdown",
    "read_plan",
    "read_records",
    "run_table",
    "summary_table",
    "write_tables",
]
