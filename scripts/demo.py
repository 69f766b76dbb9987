"""The main job on a synthetic rock: segment a scan with the model that comes along, train, evaluate, segment again.

Example:
    python scripts/demo.py --output_dir demo
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

from pipeline.bundle_files import default_model

# small enough for two cores, large enough to learn
TRAIN_IMAGES, VALIDATION_IMAGES, HELD_OUT_IMAGES, IMAGE_SIDE, SCAN_SIDE = 24, 4, 8, 384, 2048
TRAINING = {"max_epochs": 10, "steps_per_epoch": 20, "batch_size": 8, "patch_size": 128}
PIXEL_SIZE_NM = 10  # made up, so that the report speaks of lengths
#: what learning must be worth, against Otsu's threshold on the same images
LEAST_GAIN = 0.10


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--output_dir", type=Path, default=Path("demo"), help="folder for all results (default: %(default)s)"
    )
    out = parser.parse_args().output_dir.resolve()
    started = time.monotonic()

    data, scan = out / "data", out / "scan"
    step(1, "making a synthetic SEM scan")
    synthesise(scan, 1, SCAN_SIDE, seed=1000, val=0, test=0)

    (image,) = (scan / "images").iterdir()
    cut = "--pixel_size_nm", PIXEL_SIZE_NM, "--set", f"chunk_size={SCAN_SIDE // 2}", "--overwrite"
    step(2, f"segmenting it, {SCAN_SIDE} x {SCAN_SIDE} pixels, with the model that comes with vlsenet")
    vlsenet("segment", image, "--output_dir", out / "first_answer", "--checkpoint", default_model(), *cut)

    step(3, "training VLSE-Net (small) on images like it")
    images = TRAIN_IMAGES + VALIDATION_IMAGES + HELD_OUT_IMAGES
    synthesise(data, images, IMAGE_SIDE, seed=1, val=VALIDATION_IMAGES, test=HELD_OUT_IMAGES)
    settings = [word for name, value in TRAINING.items() for word in ("--set", f"{name}={value}")]
    vlsenet("train", data, "--output_dir", out / "training", "--overwrite", *settings)
    model = "--checkpoint", out / "training" / "checkpoints" / "best.pt"

    step(4, "evaluating it on held-out images")
    vlsenet("evaluate", data, "--output_dir", out / "evaluation", "--split", "test", "--overwrite", *model)

    step(5, "segmenting the scan with it")
    vlsenet("segment", image, "--output_dir", out / "segmentation", *model, *cut)
    draw(out, scan)
    return report(out, scan, time.monotonic() - started)


def step(number: int, what: str) -> None:
    print(f"\n[{number}/5] {what}", flush=True)


def synthesise(folder: Path, count: int, side: int, seed: int, val: int, test: int) -> None:
    split = "--val", val, "--test", test
    vlsenet("synthetic", folder, "--count", count, "--size", f"{side},{side}", "--seed", seed, *split, "--overwrite")


def vlsenet(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "pipeline.cli", *map(str, words)], check=True)


def draw(out: Path, scan: Path) -> None:
    """One picture for a first look: a part of the scan, the truth, and what the network made of it."""
    import numpy as np
    import zarr
    from PIL import Image

    from pipeline.visual import comparison_figure

    part = np.s_[:640, :640]
    image, truth = (np.asarray(Image.open(next((scan / folder).iterdir())))[part] for folder in ("images", "labels"))
    mask = zarr.open_group(str(out / "segmentation" / "segmentation.ome.zarr"), mode="r")["0"][0, 0, 0][part]
    figure = comparison_figure(image, truth, mask, "Part of the demo's synthetic scan")
    figure.savefig(out / "picture.png", dpi=110)


def report(out: Path, scan: Path, seconds: float) -> int:
    summary = json.loads((out / "evaluation" / "summary.json").read_text())
    network, otsu = summary["pooled"]["dice"], summary["pooled"]["otsu_dice"]
    measured = json.loads((out / "segmentation" / "porosity.json").read_text())
    first = json.loads((out / "first_answer" / "porosity.json").read_text())
    known = json.loads((out / "first_answer" / "manifest.json").read_text())["familiarity"]["level"]
    with (scan / "truth.csv").open(newline="") as file:
        (truth,) = csv.DictReader(file)
    print(f"""
Done in {seconds / 60:.1f} minutes.

Dice on {summary["images"]} held-out images    VLSE-Net {network:.3f}    Otsu's threshold {otsu:.3f}
Porosity of the scan          VLSE-Net {measured["porosity"]:.4f}   truth {float(truth["porosity"]):.4f}
by the model that comes along {first["porosity"]:.4f} (trained on real mudrock; it calls this scan {known!r})

Look at
  a part of it, with errors   {out / "picture.png"}
  the first report            {out / "first_answer" / "report.html"}
  the report on the scan      {out / "segmentation" / "report.html"}
  held-out images, errors     {out / "evaluation" / "overlays"}
  the run in MLflow           {sys.executable} -m pipeline.cli mlflow {out / "training"}
                              then http://127.0.0.1:5000

These are synthetic images: see the README for your own.""")
    if network < otsu + LEAST_GAIN:
        print(f"error: the network should be at least {LEAST_GAIN} above Otsu's threshold", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
