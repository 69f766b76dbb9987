"""What a folder of results is, and its main figures, for people and for programs."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.csv_tables import read_csv_cells
from pipeline.errors import UserError

Lines = list[tuple[str, str]]


@dataclass(frozen=True)
class Kind:
    """A kind of results.

    Attributes:
        name: of the kind.
        marks: files and folders that tell it from others.
        facts: reads what is known of such a folder: plain values.
        lines: makes names and values of them.
    """

    name: str
    marks: tuple[str, ...]
    facts: Callable[[Path], dict[str, Any]]
    lines: Callable[[Mapping[str, Any]], Lines]


def kind_of(folder: str | Path) -> Kind | None:
    """What a folder holds; None where it is none of the results that are known here."""
    place = Path(folder)
    return next((kind for kind in KINDS if all((place / mark).exists() for mark in kind.marks)), None)


def folder_facts(folder: str | Path, kind: Kind) -> dict[str, Any]:
    """The kind of a folder and what is known of it: plain values, for JSON.

    Raises:
        UserError: a file of it is damaged.
    """
    try:
        return {"path": str(folder), "kind": kind.name, **kind.facts(Path(folder))}
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(
            f"{folder}: it looks like the folder of {kind.name}, but a file is damaged ({error!r})"
        ) from error


def folder_lines(facts: Mapping[str, Any], kind: Kind) -> Lines:
    """The facts as names and values."""
    return [("folder of", kind.name), *kind.lines(facts)]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"


def _said(value: Any) -> str:
    """A value of a summary: text, a number, or one for each phase."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={_said(one)}" for name, one in value.items())
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _with_interval(value: float, interval: Sequence[float] | None) -> str:
    return _number(value) + ("" if interval is None else f", 95 % interval {interval[0]:.4f} to {interval[1]:.4f}")


# ---- trainings


def _training(folder: Path) -> dict[str, Any]:
    from pipeline.cli.facts import checkpoint_facts
    from pipeline.workflows.model_file import read_model_file

    best, last = (folder / "checkpoints" / name for name in ("best.pt", "last.pt"))
    content = read_model_file(str(last)) if last.is_file() else {}
    return {
        "last_epoch": content.get("training", {}).get("epoch"),
        "model": checkpoint_facts(str(best)) if best.is_file() else None,
    }


def _trainings(folder: Path) -> dict[str, Any]:
    places = sorted(path.parent.parent for path in folder.glob("*/checkpoints/best.pt"))
    return {"trainings": [path.name for path in places]}


def _trainings_lines(facts: Mapping[str, Any]) -> Lines:
    lines = [("trainings", ", ".join(facts["trainings"]) or "none with a best.pt")]
    return [*lines, ("see", f"vlsenet mlflow {facts['path']}"), ("see", f"vlsenet info {facts['path']}/NAME")]


def _training_lines(facts: Mapping[str, Any]) -> Lines:
    from pipeline.cli.facts import checkpoint_lines

    lines = [] if facts["last_epoch"] is None else [("trained", f"{facts['last_epoch']} epochs")]
    if facts["model"] is None:
        return [*lines, ("best model", "none yet: nothing was validated")]
    return [*lines, ("best model", facts["model"]["path"]), *checkpoint_lines(facts["model"])]


# ---- segmentations


def _segmentation(folder: Path) -> dict[str, Any]:
    manifest = _json(folder / "manifest.json")
    begun = _json(folder / "journal" / "request.json")
    request = (manifest or begun)["request"]
    return {
        "finished": manifest is not None,
        "scan": request["scan"]["name"],
        "porosity": _json(folder / "porosity.json") if manifest else None,
        "phases": (_json(folder / "phases.json") or {}).get("phases", []) if manifest else [],
        "manifest": manifest,
    }


def _segmentation_lines(facts: Mapping[str, Any]) -> Lines:
    lines = [("scan", facts["scan"])]
    if not facts["finished"]:
        return [*lines, ("state", "not finished; the same vlsenet segment resumes it")]
    manifest, porosity = facts["manifest"], facts["porosity"]
    if porosity is not None and not facts["phases"]:
        lines.append(("porosity", _with_interval(porosity["porosity"], porosity["interval_95"])))
    for phase in facts["phases"]:
        lines.append((phase["phase"], _with_interval(phase["area_fraction"], phase["interval_95"])))
    if manifest["pores"]:
        lines.append(("pores", str(manifest["pores"]["pores"])))
    size = manifest["pixel_size_nm"]
    lines.append(("pixel size", "unknown" if size is None else f"{size:.6g} nm"))
    lines.append(("model", manifest["checkpoint"]))
    lines.append(("asked for", _said(manifest["request"]["prompt"])))
    lines.append(("threshold", _said(manifest["request"]["threshold"])))
    return [*lines, *_files(facts, "report.html", "pores.csv", "overview.png")]


def _scans(folder: Path) -> dict[str, Any]:
    return {"scans": read_csv_cells(folder / "scans.csv")}


def _scans_lines(facts: Mapping[str, Any]) -> Lines:
    rows = [row for row in facts["scans"] if row.get("status") != "all"]
    overall: Mapping[str, str] = next((row for row in facts["scans"] if row.get("status") == "all"), {})
    failed = [row["scan"] for row in rows if row.get("problem")]
    lines = [("scans", f"{len(rows) - len(failed)} of {len(rows)} segmented")]
    porosities = [float(row["porosity"]) for row in rows if row.get("porosity")]
    if porosities:
        lines.append(("porosity", f"{min(porosities):.4f} to {max(porosities):.4f}"))
    if overall.get("porosity"):
        ends = [float(overall[f"interval_95_{end}"]) for end in ("low", "high")]
        lines.append(("of all together", _with_interval(float(overall["porosity"]), ends)))
    return [*lines, *(("failed", name) for name in failed), *_files(facts, "scans.csv")]


# ---- scores


def _evaluation(folder: Path) -> dict[str, Any]:
    return {"summary": _json(folder / "summary.json")}


def _evaluation_lines(facts: Mapping[str, Any]) -> Lines:
    summary = facts["summary"]
    lines = [
        (name, _said(summary[name])) for name in ("checkpoint", "dataset_dir", "split", "images") if name in summary
    ]
    lines.append(("threshold", _said(summary["threshold"])))
    of_phases = summary.get("phases") or {summary.get("phase", "pore"): summary}
    for phase, scores in of_phases.items():
        pooled, mean = scores["pooled"], scores["mean"]
        error = next((mean[name] for name in ("porosity_error", "area_error") if name in mean), None)
        said = (
            f"{_number(pooled['dice'])} pooled, {_number(mean['dice'])} on average; error of its area {_number(error)}"
        )
        lines.append((f"Dice of {phase}", said))
    return [*lines, *_files(facts, "report.html", "per_image.csv", "summary.json")]


def _audit(folder: Path) -> dict[str, Any]:
    return {"audit": read_csv_cells(folder / "audit.csv"), "about": {**_json(folder / "audit.json"), "images": None}}


def _audit_lines(facts: Mapping[str, Any]) -> Lines:
    about, lines = facts["about"], []
    for name in ("checkpoint", "dataset_dir", "split"):
        if name in about:
            lines.append((name, _said(about[name])))
    for row in facts["audit"]:
        if row.get("phase") not in (None, "mean of phases"):
            continue
        lines.append((row["condition"], f"Dice {row.get('dice') or 'not run'}"))
    return [*lines, *_files(facts, "audit.png")]


def _masks(folder: Path) -> dict[str, Any]:
    return {"images": read_csv_cells(folder / "porosity.csv"), "manifest": _json(folder / "manifest.json")}


def _masks_lines(facts: Mapping[str, Any]) -> Lines:
    return [("images", str(len(facts["images"]))), *_files(facts, "masks", "porosity.csv")]


# ---- experiments, comparisons, exports, data sets


def _experiment(folder: Path) -> dict[str, Any]:
    table = folder / "runs.csv"
    return {"runs": read_csv_cells(table) if table.is_file() else []}


def _experiment_lines(facts: Mapping[str, Any]) -> Lines:
    runs = facts["runs"]
    states = Counter(run["state"] for run in runs)
    lines = [("runs", ", ".join(f"{count} {state}" for state, count in states.items()) or "none yet")]
    for variant in dict.fromkeys(run["variant"] for run in runs):
        scores = [float(run["dice"]) for run in runs if run["variant"] == variant and run.get("dice")]
        if scores:
            mean = sum(scores) / len(scores)
            lines.append((variant, f"pooled Dice {mean:.4f}, mean over its finished runs ({len(scores)})"))
    return [*lines, *_files(facts, "runs.csv", "comparison/report.html")]


def _comparison(folder: Path) -> dict[str, Any]:
    return {"variants": read_csv_cells(folder / "variants.csv")}


def _comparison_lines(facts: Mapping[str, Any]) -> Lines:
    names = dict.fromkeys(row["variant"] for row in facts["variants"])
    return [("variants", ", ".join(names)), *_files(facts, "report.html")]


def _export(folder: Path) -> dict[str, Any]:
    return {"export": _json(folder / "export.json")}


def _export_lines(facts: Mapping[str, Any]) -> Lines:
    about = facts["export"]
    lines = [("model", about["checkpoint"])]
    for name, file in about["files"].items():
        lines.append((name, f"{file['file']}, largest difference from PyTorch {file['largest_difference']:.1e}"))
    return lines


def _dataset(folder: Path) -> dict[str, Any]:
    from pipeline.data.pairs import pair_files
    from pipeline.data.splits import SPLIT_FILE, SPLITS

    pairing, split = pair_files(folder), folder / SPLIT_FILE
    counts = Counter(row["split"] for row in read_csv_cells(split)) if split.is_file() else {}
    splits = {name: counts[name] for name in SPLITS if counts.get(name)}
    return {"pairs": len(pairing.pairs), "problems": len(pairing.problems), "splits": splits}


def _dataset_lines(facts: Mapping[str, Any]) -> Lines:
    splits = ", ".join(f"{name} {count}" for name, count in facts["splits"].items())
    lines = [("images", f"{facts['pairs']} with labels"), ("split", splits or "none yet; vlsenet prepare writes one")]
    if facts["problems"]:
        lines.append(("problems", f"{facts['problems']} files don't pair up; vlsenet prepare names them"))
    return lines


def _files(facts: Mapping[str, Any], *names: str) -> Lines:
    """Those of some files that are there."""
    paths = [Path(facts["path"]) / name for name in names]
    return [("see", str(path)) for path in paths if path.exists()]


#: a folder is the first of these whose marks it has
KINDS = (
    Kind("a training", ("checkpoints/last.pt",), _training, _training_lines),
    Kind("a training", ("checkpoints/best.pt",), _training, _training_lines),
    Kind("a segmented scan", ("journal/request.json",), _segmentation, _segmentation_lines),
    Kind("segmented scans", ("scans.csv",), _scans, _scans_lines),
    Kind("an evaluation", ("summary.json", "per_image.csv"), _evaluation, _evaluation_lines),
    Kind("an audit", ("audit.json", "audit.csv"), _audit, _audit_lines),
    Kind("plain masks", ("manifest.json", "porosity.csv"), _masks, _masks_lines),
    Kind("an export", ("export.json",), _export, _export_lines),
    Kind("an experiment", ("plan.yaml", "folds.json"), _experiment, _experiment_lines),
    Kind("a comparison", ("report.html", "differences.csv", "variants.csv"), _comparison, _comparison_lines),
    Kind("a data set", ("images", "labels"), _dataset, _dataset_lines),
    Kind("a data set", ("patch_images", "patch_mask"), _dataset, _dataset_lines),
    Kind("trainings", ("mlflow.db",), _trainings, _trainings_lines),
)
