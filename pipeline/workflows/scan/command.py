"""The bundle command that segments scans, one, a stack, or a folder of them, and logs their results to MLflow."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from pipeline.cluster import Done, Pool, in_tasks
from pipeline.cluster.tasks import problem_of
from pipeline.cluster.time_left import TimeLeft, duration
from pipeline.cluster.watch import worker_count
from pipeline.data.pairs import sentence_of
from pipeline.errors import INTERRUPTED, UserError, mistake_behind
from pipeline.files import write_text
from pipeline.images import scans_in
from pipeline.measure.pores_2d import CSV
from pipeline.phases import PORE, metric_of
from pipeline.text import clean_prompt
from pipeline.wording import printable
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.ranks import Ranks, ToldFailure, is_known_to_all
from pipeline.workflows.scan.finished import (
    ask_for_stack,
    check_folder,
    refuse_own_input,
    warn_of_folder,
    without_results,
)
from pipeline.workflows.scan.request import ScanSettings
from pipeline.workflows.scan.results import (
    FIGURES,
    MANIFEST,
    OVERVIEW,
    PHASE_TABLE,
    PHASES,
    POROSITY,
    REPORT,
    TRACKED,
)
from pipeline.workflows.scan.scan_task import ModelPlace, ScanTask, run_scan_task
from pipeline.workflows.scan.scans_table import PAGE, SUMMARY, ScansTable
from pipeline.workflows.scan.segmentation import ScanSegmentation

logger = logging.getLogger("vlsenet")


class ScanCommand:
    """Segments what ``input`` names into ``output_dir``.

    A folder of scans gives a folder of results for each, and ``scans.csv`` and ``scans.html`` of all, one after the
    other or on the workers of a pool. Finished scans are left alone, and a scan that can't be segmented does not stop
    the others. MLflow is sent the results that it does not have yet, including those of scans finished earlier.

    Args:
        path: a scan, a Zarr, or a folder.
        output_dir: folder of the results.
        model: what segments.
        settings: how.
        text_weights: local weights of the text tower, for prompts that the model does not know.
        ranks: the processes that work on it together.
        overwrite: replace finished segmentations, and those of other settings.
        tracking_uri: MLflow store for a run of each scan; None: none.
        experiment_name: of these runs.
        pool: workers that the scans of a folder are spread over.
    """

    def __init__(
        self,
        path: str,
        output_dir: str,
        model: TrainedModel,
        settings: ScanSettings,
        text_weights: str | None,
        ranks: Ranks,
        overwrite: bool,
        tracking_uri: str | None = None,
        experiment_name: str = "scans",
        pool: Pool = Pool(),  # noqa: B008 - immutable
    ) -> None:
        self._path, self._folder = path, Path(output_dir)
        self._model, self._settings, self._text_weights = model, settings, text_weights
        self._ranks, self._overwrite, self._pool = ranks, overwrite, pool
        self._tracking_uri, self._experiment_name = tracking_uri, experiment_name
        self._prompts: dict[str, Prompts] = {}

    def run(self) -> None:
        """Segment, or resume.

        Raises:
            UserError: a scan can't be segmented, which is raised after all others were; or the MLflow store can't be
                right. One that is away is sent the results later.
        """
        if self._pool and self._ranks.count > 1:
            raise UserError("torchrun and --workers, --scheduler or --cluster: give only one of them")
        if self._ranks.is_first and self._tracking_uri is not None:
            from pipeline.tracking.stores import check_store  # MLflow's database layer takes half a second

            check_store(self._tracking_uri)
        with self._ranks.joined():
            scans = [] if self._settings.stack else without_results(scans_in(self._path))
            self._ask([str(scan) for scan in scans] or [self._path])
            if scans:
                self._ranks.first_does(lambda: warn_of_folder(Path(self._path), self._folder, stack=False))
                may_be_slices = self._ranks.first_does(lambda: ask_for_stack(Path(self._path), scans))
                problems = self._folder_of(scans, may_be_slices)
            else:
                if self._pool:
                    logger.warning("%s is one scan, which one process segments: workers are for a folder", self._path)
                self._ranks.first_does(lambda: check_folder(self._path, self._folder, self._settings.stack))
                self._segment(self._path, self._folder)
                self._track(self._folder, self._path)
                problems = []
        if problems:
            raise UserError("\n".join(problems))

    def _ask(self, scans: Sequence[str]) -> None:
        """Learn the text of each scan, before the first is read."""
        for scan in scans:
            own = sentence_of(Path(scan)) if self._settings.sentences else None
            self._prompts[scan] = clean_prompt(own) if own else self._settings.prompt
        self._model.ask(list(self._prompts.values()), self._settings.sentences, self._text_weights)

    def _segment(self, path: str, folder: Path, say: Callable[[str], object] = print) -> None:
        settings = self._settings_of(path)
        ScanSegmentation(path, folder, self._model, settings, self._ranks, self._overwrite, say).run()

    def _settings_of(self, path: str) -> ScanSettings:
        return replace(self._settings, prompt=self._prompts[path])

    def _track(self, folder: Path, path: str) -> None:
        if self._ranks.is_first and self._tracking_uri is not None:
            track_scan(folder, Path(path).name, self._tracking_uri, self._experiment_name)

    def _folder_of(self, scans: list[Path], may_be_slices: bool) -> list[str]:
        """Segment each scan; returns the problems, one line each."""
        table = ScansTable(self._folder, scans, self._settings.names, may_be_slices)
        self._ranks.first_does(lambda: self._check_folders(scans, table))
        try:
            for done in self._by_workers(scans, table) if self._pool else self._one_after_the_other(scans, table):
                self._ended(done, scans, table)
        finally:
            if self._ranks.is_first:
                table.write()
        if not self._ranks.is_first:
            return []
        problems = table.problems
        shown = "porosity" if self._settings.names == (PORE,) else "area fractions"
        there = f"{self._folder / SUMMARY}, {self._folder / PAGE}"
        logger.info("%s of %d scans: %s", shown, len(scans) - len(problems), there)
        for line in table.said:
            logger.info("%s", line)
        return [f"{len(problems)} of {len(scans)} scans were not segmented:", *problems] if problems else []

    def _ended(self, done: Done, scans: list[Path], table: ScansTable) -> None:
        problem = done.problem
        if problem is None:
            try:
                self._track(table.results[done.index], str(scans[done.index]))
            except UserError as error:
                problem = str(error)
        if problem is not None:
            logger.error("%s", problem)
        table.add(done.index, problem)

    def _check_folders(self, scans: list[Path], table: ScansTable) -> None:
        refuse_own_input(scans, table.results)
        table.check(self._overwrite)

    def _one_after_the_other(self, scans: list[Path], table: ScansTable) -> Iterator[Done[None]]:
        """Segment them in this process, or with the others of `ranks`; process 0 tells how each ended."""
        for number, scan in enumerate(scans):
            logger.info("scan %d of %d: %s", number + 1, len(scans), printable(str(scan)))
            problem = None
            try:
                self._segment(str(scan), table.results[number], partial(_say_of, scan))
            except ToldFailure:
                continue
            except Exception as error:
                if self._ranks.count > 1 and not is_known_to_all(error):  # the others wait where this one failed
                    raise
                if mistake_behind(error) is None:
                    logger.exception("%s: not segmented", printable(str(scan)))
                problem = problem_of(error)
            if self._ranks.is_first:
                yield Done(number, None, problem)

    def _by_workers(self, scans: list[Path], table: ScansTable) -> Iterator[Done[bool]]:
        """Segment them on the workers of the pool; tells how each ended."""
        about = ModelPlace.of(self._model, self._prompts.values(), self._text_weights)
        mark = uuid4().hex
        tasks = [
            ScanTask(
                path=str(scan.absolute()),
                folder=str(results.absolute()),
                model=about,
                settings=self._settings_of(str(scan)),
                overwrite=self._overwrite,
                mark=mark,
                neighbours=self._pool.workers or 1,
            )
            for scan, results in zip(scans, table.results, strict=True)
        ]
        time_left = TimeLeft()
        try:
            with (
                self._pool.opened() as client,
                closing(in_tasks(client, "scan", run_scan_task, tasks)) as ended,
            ):
                for count, done in enumerate(ended, start=1):
                    yield done
                    if done.value:
                        time_left.note("scan", done.seconds)
                    left = time_left.estimate(["scan"] * (len(tasks) - count), worker_count(client) or 1)
                    how = "failed" if done.problem else "done"
                    name = printable(scans[done.index].name)
                    logger.info("%s: %s in %s; %d of %d%s", name, how, duration(done.seconds), count, len(tasks), left)
        except KeyboardInterrupt:
            logger.warning("interrupted; run the same command again to resume")
            raise SystemExit(INTERRUPTED) from None


def _say_of(scan: Path, line: str) -> None:
    """Print a line of one scan's results; those that go on from it are indented."""
    print(line if line.startswith(" ") else f"{printable(scan.name)}: {line}")


def track_scan(folder: Path, name: str, tracking_uri: str, experiment_name: str) -> None:
    """Log the results of a finished segmentation, once for each store and experiment; the mask stays where it is.

    What the store does not accept is kept in the folder, and sent when this is called again.

    Args:
        folder: of the results; ``mlflow_runs.json`` in it notes which stores have them.
        name: of the run.
        tracking_uri: MLflow store.
        experiment_name: MLflow experiment.
    """
    from pipeline.tracking.addresses import kept_address
    from pipeline.tracking.outbox import Outbox
    from pipeline.tracking.tracked_run import TrackedRun

    file = folder / TRACKED
    runs = json.loads(file.read_text()) if file.exists() else []
    place = {"tracking_uri": kept_address(tracking_uri), "experiment": experiment_name}
    if any(_in_earlier_form(place) == _in_earlier_form(run) for run in runs):
        Outbox(folder, tracking_uri, "").flush()
        return
    manifest = json.loads((folder / MANIFEST).read_text())
    parameters = {**manifest["request"], "checkpoint": manifest["checkpoint"], "device": manifest["device"]}
    if about := manifest.get("model"):
        parameters |= {"model": about["title"], "trained_on": about["trained_on"]}
    run = TrackedRun(tracking_uri, experiment_name, name, str(folder), parameters, {"vlsenet": "scan"})
    run.start({MANIFEST: manifest}, after_work=True)
    numbers = {
        **_fractions(folder),
        "pixel_size_nm": manifest["pixel_size_nm"],
        "pores": (manifest["pores"] or {}).get("pores"),
        "skipped_share": manifest["skipped_share"],
        "seam_largest": manifest["seam_certificate"].get("largest"),
        "seconds": manifest["seconds_of_this_run"]["all"],
    }
    run.log_metrics({key: value for key, value in numbers.items() if value is not None})
    run.log_files([folder / name for name in _RESULTS if (folder / name).exists()], "results")
    run.log_files(sorted((folder / FIGURES).glob("*.png")), FIGURES)
    run.finish("FINISHED")
    write_text(file, json.dumps([*runs, {**place, "run_id": run.run_id}], indent=2))


#: files that a run gets
_RESULTS = (REPORT, OVERVIEW, POROSITY, CSV, PHASES, PHASE_TABLE)


def _fractions(folder: Path) -> dict[str, float | None]:
    """The area fraction of each phase with its interval, by MLflow's names of metrics."""
    found: dict[str, float | None] = {}
    if (folder / POROSITY).exists():
        found |= _named("porosity", json.loads((folder / POROSITY).read_text()), "porosity")
    if (folder / PHASES).exists():
        for phase in json.loads((folder / PHASES).read_text())["phases"]:
            found |= _named(metric_of(phase["phase"], "area_fraction"), phase, "area_fraction")
            if phase["objects"] is not None:
                found[metric_of(phase["phase"], "objects")] = phase["objects"]
    return found


def _named(name: str, summary: Mapping[str, Any], key: str) -> dict[str, float | None]:
    low, high = summary["interval_95"] or (None, None)
    return {name: summary[key], f"{name}_low": low, f"{name}_high": high}


def _in_earlier_form(run: dict[str, str]) -> tuple[str, str]:
    """Store and experiment of a note; those of earlier versions lack the user's name too."""
    return re.sub(r"://[^/@]*@", "://", run["tracking_uri"]), run["experiment"]
