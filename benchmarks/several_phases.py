"""One network for several phases against its rivals, on real images: trainings and evaluations, and their table.

    python benchmarks/several_phases.py runs/phases --data ../shared/data --part nankai --seeds 0 1 2

What is trained, evaluated and audited is what `vlsenet train`, `evaluate` and `audit` do, with their defaults. A
finished training or evaluation is not run again, an interrupted training goes on. The validation images choose the
epoch and the thresholds, so the figures compare the arms, and say nothing on other micrographs.

part    trained on                     arms
nankai  pore and silt grain            VLSE-Net and U-Net for both phases, VLSE-Net for each phase alone
sets    seven sets with eleven phases  VLSE-Net with learned and with random text, U-Net; one VLSE-Net for each set
sparse  nankai, 1, 3, 10 % labelled    VLSE-Net for both phases, labels as strokes
around  all phases of the set `--of`   U-Net and VLSE-Net without surroundings, with `--reach`, and with larger patches
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from _strokes import UNLABELLED, stroked
from PIL import Image

from pipeline.errors import UserError
from pipeline.files import write_text

BOTH = "pore=2, silt grain=1"
SETS = ("dtseg", "ebc1", "gsc_shale", "super1", "super2", "super4", "uhcs")
SHARES = (0.01, 0.03, 0.10)
#: with fewer validations, which would take most of the time
QUICK = ("--set", "batch_size=4", "--set", "patch_size=128", "--set", "val_interval=4")
#: the usual number of pixels in a step, and that of `QUICK`, in patches of twice the side
LARGER_PATCHES = {False: (2, 384), True: (1, 256)}


@dataclass(frozen=True)
class Arm:
    """One network: what it is trained on and how, and what it is scored on.

    Attributes:
        name: in the table.
        train_on: data sets.
        options: of `vlsenet train`.
        score_on: data sets, by their validation images; empty: those of `train_on`.
        phases: as given to train and evaluate; None: as the data sets say.
        audited: whether the phrases are exchanged, too.
    """

    name: str
    train_on: tuple[Path, ...]
    options: tuple[str, ...] = ()
    score_on: tuple[Path, ...] = ()
    phases: str | None = None
    audited: bool = False
    of_train: tuple[str, ...] = field(default=())


def arms(part: str, data: Path, output: Path, quick: bool, of: str, reach: str) -> Iterator[Arm]:
    """The arms of a part of the table."""
    nankai = (data / "nankai",)
    unet = ("--network", "unet")
    if part == "around":
        yield from around(data, quick, of, reach)
        return
    if part == "nankai":
        yield Arm("VLSE-Net", nankai, phases=BOTH, audited=True)
        yield Arm("U-Net", nankai, unet, phases=BOTH)
        yield Arm("VLSE-Net, pore alone", nankai, phases="pore=2")
        yield Arm("VLSE-Net, silt alone", nankai, phases="silt grain=1")
    elif part == "sets":
        sets = tuple(data / "phases" / name for name in SETS)
        yield Arm("VLSE-Net", sets, audited=True)
        yield Arm("U-Net", sets, unet)
        yield Arm("VLSE-Net, random text", sets, ("--text_source", "random"), audited=True)
        for one in sets:
            yield Arm(f"VLSE-Net, {one.name} alone", (one,))
    else:
        for share in SHARES:
            strokes = stroked_set(data / "nankai", output / f"strokes_{share:g}", share)
            unlabelled = ("--unlabelled", str(UNLABELLED))
            yield Arm(f"VLSE-Net, {share:.0%} labelled", (strokes,), (), nankai, BOTH, of_train=unlabelled)


def around(data: Path, quick: bool, of: str, reach: str) -> Iterator[Arm]:
    """With and without surroundings, and what would be simpler: patches of twice the side, as many pixels in a step."""
    dataset, phases = ((data / "nankai",), BOTH) if of == "nankai" else ((data / "phases" / of,), None)
    count, side = LARGER_PATCHES[quick]
    ways = {
        "": ("surroundings=none",),
        f", {reach}": (f"surroundings={reach}",),
        f", patches of {side} px": ("surroundings=none", f"batch_size={count}", f"patch_size={side}"),
    }
    for name, network in (("U-Net", "unet"), ("VLSE-Net", "vlsenet")):
        for way, settings in ways.items():
            options = tuple(word for setting in settings for word in ("--set", setting))
            yield Arm(name + way, dataset, ("--network", network, *options), phases=phases)


def stroked_set(source: Path, folder: Path, share: float) -> Path:
    """A data set whose training masks are strokes; its validation masks are left out of the share, and full."""
    split = pd.read_csv(source / "split.csv", dtype=str)
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    training = set(split.loc[split["split"] == "train", "name"])
    for number, path in enumerate(sorted((source / "labels").iterdir())):
        label = np.asarray(Image.open(path))
        if path.stem in training:
            label = stroked(label, share, np.random.default_rng(number))
        Image.fromarray(label).save(folder / "labels" / path.name)
    for path in (source / "images").iterdir():
        (folder / "images" / path.name).unlink(missing_ok=True)
        (folder / "images" / path.name).symlink_to(path.resolve())
    write_text(folder / "split.csv", split.to_csv(index=False))
    return folder


def run_arm(arm: Arm, folder: Path, seed: int, steps: int, quick: bool = False) -> pd.DataFrame:
    """Train, evaluate and audit an arm.

    Args:
        quick: 4 patches of 128 px in a step in place of 8 of 192 px, and a validation every four epochs.

    Returns:
        A row for each data set and phase: Dice, area-fraction error, and the Dice with exchanged phrases where audited.
    """
    best = folder / "checkpoints" / "best.pt"
    phases = ("--phases", arm.phases) if arm.phases else ()
    if not (folder / "finished").exists():
        goes_on = ("--resume",) if (folder / "checkpoints" / "last.pt").exists() else ()
        length = ("--max_epochs", str(max(1, steps // 25)), "--seed", str(seed))
        sets = map(str, arm.train_on)
        given = (*length, *phases, *arm.of_train, *(QUICK if quick else ()), *arm.options)
        _vlsenet("train", *sets, "--output_dir", str(folder), *given, *goes_on)
        write_text(folder / "finished", "")
    rows = []
    for dataset in arm.score_on or arm.train_on:
        asked = (str(dataset), "--checkpoint", str(best), "--split", "val", *phases)
        results = folder / "evaluation" / dataset.name / "summary.json"
        if not results.exists():
            _vlsenet("evaluate", *asked, "--output_dir", str(results.parent), "--overwrite")
        summary = json.loads(results.read_text())
        exchanged = _exchanged(folder / "audit" / dataset.name, asked) if arm.audited else {}
        for phase, scores in (summary.get("phases") or {summary["phase"]: summary}).items():
            pooled = scores["pooled"]
            error = abs(pooled["porosity_error"] if "porosity_error" in pooled else pooled["area_error"])
            rows.append((dataset.name, phase, scores["mean"]["dice"], pooled["dice"], error, exchanged.get(phase)))
    columns = ["set", "phase", "mean Dice", "pooled Dice", "area error", "exchanged"]
    return pd.DataFrame(rows, columns=columns).assign(arm=arm.name, seed=seed)


def _exchanged(folder: Path, asked: Sequence[str]) -> dict[str, float]:
    """Dice of each phase that is asked for with another's phrase."""
    if not (folder / "audit.csv").exists():
        # four times the work, for a difference that no exchange is in doubt by
        _vlsenet("audit", *asked, "--output_dir", str(folder), "--overwrite", "--set", "mirror=false")
    table = pd.read_csv(folder / "audit.csv")
    table = table[table["condition"] == "exchanged"]
    return dict(zip(table["phase"], table["dice"], strict=True)) if "phase" in table else {}


def _vlsenet(*words: str) -> None:
    """One command of `vlsenet`, as a user types it."""
    print("vlsenet", *words, flush=True)
    ended = subprocess.run([sys.executable, "-m", "pipeline.cli", *words], check=False).returncode
    if ended:
        raise UserError(f"vlsenet {words[0]} ended with status {ended}; see above")


def table_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and range over seeds, a row for each set, phase and arm."""
    scores = rows.groupby(["set", "phase", "arm"], sort=False).agg(
        seeds=("seed", "count"),
        **{
            f"{score}{suffix}": (score, how)
            for score in ("mean Dice", "pooled Dice", "area error", "exchanged")
            for suffix, how in (("", "mean"), (" min", "min"), (" max", "max"))
        },
    )
    return scores.round(4).reset_index()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with nankai/ and phases/")
    parser.add_argument("--part", choices=["nankai", "sets", "sparse", "around"], required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="4 patches of 128 px in a step, in place of 8 of 192 px; validated every 4 epochs",
    )
    parser.add_argument("--of", default="ebc1", help="data set of the part `around`: nankai, or one of phases/")
    parser.add_argument("--reach", default="496px", help="surroundings in the part `around`")
    parser.add_argument("--only", nargs="+", help="run these arms only, by name")
    arguments = parser.parse_args()
    part, quick, of = arguments.part, arguments.quick, arguments.of
    folder = arguments.output / (f"around_{of}" if part == "around" else part)
    rows = []
    for seed in arguments.seeds:
        for arm in arms(part, arguments.data.resolve(), folder, quick, of, arguments.reach):
            if arguments.only and arm.name not in arguments.only:
                continue
            place = folder / f"seed{seed}" / arm.name.replace(", ", "_").replace(" ", "_").replace("%", "pc")
            rows.append(run_arm(arm, place, seed, arguments.steps, quick))
            table = table_of(pd.concat(rows))
            write_text(folder / "table.csv", table.to_csv(index=False))
            print(table.to_string(index=False), flush=True)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"error: {error}") from None
