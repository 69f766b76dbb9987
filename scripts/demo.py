"""The main job on a synthetic rock: make images, train, evaluate, segment a scan.

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

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = ROOT / "bundle" / "configs"

# small enough for two cores, large enough to learn
TRAIN_IMAGES, VALIDATION_IMAGES, HELD_OUT_IMAGES, IMAGE_SIDE, SCAN_SIDE = 24, 4, 8, 384, 2048
TRAINING = {
    "max_epochs": 10,
    "steps_per_epoch": 20,
    "batch_size": 8,
    "patch_size": 128,
    "text_source": "untrained",  # CLIP's weights would have to be downloaded; an untrained tower gives no meaning
}
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
    step(1, "making synthetic SEM images")
    images = TRAIN_IMAGES + VALIDATION_IMAGES + HELD_OUT_IMAGES
    synthesise(data, images, IMAGE_SIDE, seed=1, val=VALIDATION_IMAGES, test=HELD_OUT_IMAGES)
    synthesise(scan, 1, SCAN_SIDE, seed=1000, val=0, test=0)

    step(2, "training VLSE-Net (small)")
    bundle("train", dataset_dir=data, output_dir=out / "training", **TRAINING)
    checkpoint = out / "training" / "checkpoints" / "best.pt"

    step(3, "evaluating it on held-out images")
    bundle("evaluate", dataset_dir=data, output_dir=out / "evaluation", checkpoint=checkpoint, split="test")

    step(4, f"segmenting a scan of {SCAN_SIDE} x {SCAN_SIDE} pixels")
    (image,) = (scan / "images").iterdir()
    bundle(
        "scan",
        input=image,
        output_dir=out / "segmentation",
        checkpoint=checkpoint,
        chunk_size=SCAN_SIDE // 2,
        pixel_size_nm=PIXEL_SIZE_NM,
    )
    draw(out, scan)
    return report(out, scan, time.monotonic() - started)


def step(number: int, what: str) -> None:
    print(f"\n[{number}/4] {what}", flush=True)


def synthesise(folder: Path, count: int, side: int, seed: int, val: int, test: int) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "make_synthetic.py"), "--output_dir", str(folder)]
    command += ["--count", str(count), "--size", str(side), str(side), "--seed", str(seed), "--overwrite"]
    command += ["--val", str(val), "--test", str(test)]
    subprocess.run(command, check=True)


def bundle(config: str, **options: object) -> None:
    files = [str(CONFIGS / "common.yaml"), str(CONFIGS / f"{config}.yaml")]
    command = [sys.executable, "-W", "ignore", "-m", "monai.bundle", "run", "--config_file", str(files), "--overwrite"]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    subprocess.run(command, check=True)


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
    with (scan / "truth.csv").open(newline="") as file:
        (truth,) = csv.DictReader(file)
    print(f"""
Done in {seconds / 60:.1f} minutes.

Dice on {summary["images"]} held-out images    VLSE-Net {network:.3f}    Otsu's threshold {otsu:.3f}
Porosity of the scan          VLSE-Net {measured["porosity"]:.4f}   truth {float(truth["porosity"]):.4f}

Look at
  a part of it, with errors   {out / "picture.png"}
  the report on the scan      {out / "segmentation" / "report.html"}
  held-out images, errors     {out / "evaluation" / "overlays"}
  the run in MLflow           {sys.executable} -m mlflow ui --workers 1 --backend-store-uri sqlite:///{out}/training/mlflow.db
                              then http://127.0.0.1:5000

These are synthetic images and an untrained text tower: see the README for your own.""")
    if network < otsu + LEAST_GAIN:
        print(f"error: the network should be at least {LEAST_GAIN} above Otsu's threshold", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
