from __future__ import annotations

import errno
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from pipeline.cli.main import main
from pipeline.comparison.compare import _about_sources, compare
from pipeline.comparison.evaluated_runs import EvaluatedRun
from pipeline.errors import UserError
from pipeline.locks import locked_folder
from pipeline.tracking.addresses import default_tracking_uri
from tests.comparison.simulated import NAMES, evaluate, log_run, stored


@pytest.fixture(scope="module")
def store(make_store, tmp_path_factory):
    """An experiment with three seeds of two variants and of one with noise, a failed run, and other experiments."""
    folder = tmp_path_factory.mktemp("comparison")
    uri = make_store(folder)
    client = mlflow.MlflowClient(uri)

    def experiment(name: str) -> str:
        return str(client.create_experiment(name, artifact_location=(folder / name).as_uri()))

    rock = experiment("rock")
    parent = client.create_run(rock, run_name="grid").info.run_id
    family = {"mlflow.parentRunId": parent}
    for variant, first in (("unet", 0), ("noisy", 10), ("<b>other</b>", 20)):
        for seed in range(3):
            out = folder / f"{first + seed}"
            evaluate(out, first + seed, variant == "noisy", checkpoint=f"{first + seed}")
            log_run(client, uri, rock, out, variant=variant, seed=str(seed), **family)
    log_run(client, uri, rock, None, variant="broken", seed="0", **family)

    moved = folder / "moved"
    evaluate(moved, 1, False, "moved", shift=3)
    mixed = experiment("mixed")
    log_run(client, uri, mixed, folder / "0", variant="unet", seed="0")
    log_run(client, uri, mixed, moved, variant="moved", seed="0")
    twice = experiment("twice")
    ids = [log_run(client, uri, twice, folder / "0", variant="unet", seed="0") for _ in range(2)]
    empty = experiment("empty")
    log_run(client, uri, empty, None, variant="unet", seed="0")
    return uri, client, parent, folder, ids


@pytest.fixture(scope="module")
def compared(store, tmp_path_factory):
    return compare(store[0], tmp_path_factory.mktemp("out"), "rock")


def test_the_planted_difference_is_found_and_another_seed_of_the_same_is_none(compared):
    words = compared.findings.differences.set_index(["measure", "variant"])["verdict"]
    assert compared.findings.baseline == "unet"
    assert words["dice", "noisy"] == "worse"
    assert words["dice", "<b>other</b>"] == "not distinguishable"
    for measure in ("iou", "precision", "surface_dice", "boundary_f1", "cl_dice", "betti0_error"):
        assert words[measure, "noisy"] == "worse", measure
    assert "noisy is worse than unet: Dice" in compared.markdown
    assert any("broken" in note for note in compared.findings.notes)


def test_the_table_holds_what_the_files_say(store, compared):
    *_, folder, _ = store
    tables = [pd.read_csv(folder / str(seed) / "per_image.csv") for seed in range(3)]
    row = compared.findings.table.set_index(["variant", "measure"]).loc[("unet", "dice")]
    means = pd.Series([table["dice"].mean() for table in tables])
    assert row["mean"] == pytest.approx(means.mean(), abs=1e-6)
    assert row["seed_sd"] == pytest.approx(means.std(), abs=1e-6)
    assert pd.isna(row["fold_sd"])
    assert (row["images"], row["seeds"], row["folds"], row["trainings"]) == (len(NAMES), 3, 1, 3)
    # all images have the same size, so that the pooled porosity is the mean one
    recall = compared.findings.table.set_index(["variant", "measure"]).loc[("unet", "recall")]
    pooled = [(t["recall"] * t["porosity_true"]).sum() / t["porosity_true"].sum() for t in tables]
    assert recall["pooled"] == pytest.approx(sum(pooled) / 3, abs=1e-4)


def test_strata_hold_the_share_of_the_pores_that_were_hit(store, compared):
    *_, folder, _ = store
    strata = compared.findings.strata.set_index(["variable", "stratum", "variant"])
    pores = pd.concat(pd.read_csv(folder / str(seed) / "per_pore.csv") for seed in range(3))
    small = pores[pores["area_px"] <= 10]
    row = strata.loc[("pore area", "up to 10 px", "noisy")]
    assert row["baseline"] == pytest.approx((small["found"] >= 0.5).mean())
    assert row["count"] == len(small) / 3
    lines = pores["aspect_ratio"].isna() & pores["orientation_deg"].notna()
    wide = pores[((pores["aspect_ratio"] >= 1.5) | lines) & pores["orientation_deg"].between(-22.5, 22.5, "left")]
    assert strata.loc[("orientation", "horizontal", "noisy"), "count"] == len(wide) / 3
    assert strata.loc[("aspect ratio", "one pixel wide", "noisy"), "count"] == lines.sum() / 3 > 0
    assert set(strata.loc["source"].index.get_level_values(0)) == {"0", "1", "2", "3"}
    assert set(strata.loc["pixel size"].index.get_level_values(0)) == {"10 nm/px", "20 nm/px"}


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.text += data


def test_the_report_needs_nothing_else_and_shows_everything(compared):
    html = compared.report.read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert page.links
    assert all(link.startswith("data:image/") for link in page.links)
    assert "@import" not in html
    assert "url(" not in html
    assert "b" not in page.tags  # a variant's name is text, not a tag
    for what in ("Which is better?", "noisy is worse than unet", "Where is the gain?", "Calibration", "Training"):
        assert what in page.text
    for alt in ("Difference of every image", "Differences by stratum", "Reliability diagram", "Curves over the epochs"):
        assert f'alt="{alt}"' in html
    # two wins or losses, or both, of each variant beside the truth
    assert html.count('alt="true pores of') >= 4
    assert len(re.findall("data:image/jpeg", html)) == 3 * html.count('alt="true pores of')


def test_everything_is_logged_to_the_parent_run(store, compared):
    _, client, parent, *_ = store
    names = {item.path for item in client.list_artifacts(parent, "comparison")}
    files = ("report.html", "variants.csv", "variants.md", "variants.html", "differences.csv", "strata.csv")
    assert names == {f"comparison/{name}" for name in (*files, "figures")}
    folder = compared.report.parent
    assert {path.name for path in folder.iterdir()} == {*files, "figures"}
    drawn = {path.name for path in (folder / "figures").iterdir()}
    assert drawn == {"dots.png", "strata.png", "curves.png", "reliability.png"}
    assert {Path(item.path).name for item in client.list_artifacts(parent, "comparison/figures")} == drawn
    assert all(Image.open(folder / "figures" / name).width > 400 for name in drawn)


@pytest.mark.usefixtures("undrawn")
def test_one_variant_is_shown_and_compared_with_nothing(store, tmp_path):
    uri, *_, ids = store
    alone = compare(uri, tmp_path, run_ids=ids[:1])
    assert alone.findings.differences.empty
    assert "nothing to compare it with" in alone.report.read_text(encoding="utf-8")


@pytest.mark.parametrize(("most", "told"), [(2, False), (4, False), (5, True)])
def test_a_source_that_has_more_than_half_of_the_images_is_told(store, most, told):
    sources = ["0"] * most + ["1", "2", "3", "4"]
    images = pd.DataFrame({"name": [str(place) for place in range(len(sources))], "source": sources})
    one = EvaluatedRun(stored(), "unet", "0", "", images, pd.DataFrame(), {})
    notes = [note for note in _about_sources([one, one]) if "dominates" in note]
    assert notes == [f"{most} of {most + 4} images are from source 0, which dominates the means."] * told


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"experiment": "rock", "baseline": "vlsenet"}, "--baseline vlsenet: no evaluated run"),
        ({"experiment": "rocks"}, "choose from Default, empty, mixed, rock, twice"),
        ({"experiment": "rock", "metric": "dise"}, "--metric dise"),
        ({"experiment": "mixed"}, "different data"),
        ({"experiment": "twice"}, "two runs are variant unet, seed 0"),
        (
            {"experiment": "empty"},
            "none of the 1 runs has an evaluation among its artifacts (evaluation/per_image.csv): unet 0 (failed)",
        ),
        ({"runs": "f" * 32}, "no such run"),
        ({"experiment": "rock", "baseline": "unett"}, "did you mean unet?"),
        ({"experiment": "rock", "split": "test"}, "--split test: no run was evaluated on it; evaluated splits: val"),
        ({}, "several experiments have evaluated runs (mixed (moved 0, unet 0); rock ("),
        ({"experiment": "rock", "tracking_uri": "sqlite:////nowhere/mlflow.db"}, "no file /nowhere/mlflow.db"),
    ],
)
def test_mistakes_are_told_in_one_line(store, tmp_path, capsys, options, told):
    options = {"output_dir": str(tmp_path / "out"), **options}
    words = [options.pop("tracking_uri", store[0])]
    assert main(["compare", *words, *(text for name, value in options.items() for text in (f"--{name}", value))]) == 1
    error = capsys.readouterr().err
    assert told in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_the_first_training_that_is_named_is_the_baseline_where_none_is_a_unet(store, tmp_path):
    uri, client, _, folder, _ = store
    experiment = client.create_experiment("named", artifact_location=(folder / "named").as_uri())
    ids = [
        log_run(client, uri, experiment, folder / str(seed), variant=name, seed="0")
        for name, seed in (("b", 0), ("a", 10))
    ]
    assert compare(uri, tmp_path / "named", run_ids=ids).findings.baseline == "b"
    assert compare(uri, tmp_path / "turned", run_ids=ids[::-1]).findings.baseline == "a"
    with pytest.raises(UserError, match="--baseline is missing; choose from"):
        compare(uri, tmp_path / "all", "named")


def test_a_full_disk_leaves_the_earlier_comparison_whole(store, compared, tmp_path, monkeypatch):
    shutil.copytree(compared.report.parent, tmp_path, dirs_exist_ok=True)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def full(_: Figure, target: object, **options: str) -> None:
        if options["format"] == "png":  # a file; those within the page are SVG
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        drawn(_, target, **options)

    drawn = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(UserError, match=r"can't be written \(No space left"):
        compare(store[0], tmp_path, "rock", baseline="noisy")
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_two_comparisons_into_one_folder_wait_for_each_other(store, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("pipeline.locks.PATIENCE", 0.1)
    with locked_folder(tmp_path), pytest.raises(UserError, match="has held its lock"):
        compare(store[0], tmp_path, "rock")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("undrawn")
def test_repeated_runs_are_not_compared_unasked(store, make_store, tmp_path):
    *_, folder, _ = store
    uri = make_store(tmp_path)
    client = mlflow.MlflowClient(uri)
    for name, variant in (("rock", "unet"), ("rock reruns", "unet again")):
        experiment = str(client.create_experiment(name, artifact_location=(tmp_path / name).as_uri()))
        log_run(client, uri, experiment, folder / "0", variant=variant, seed="0")
    assert set(compare(uri, tmp_path / "out").findings.table["variant"]) == {"unet"}
    assert set(compare(uri, tmp_path / "again", "rock reruns").findings.table["variant"]) == {"unet again"}


@pytest.mark.usefixtures("undrawn")
def test_a_store_without_evaluations_and_a_killed_training_are_named(store, tmp_path: Path) -> None:
    folder = store[3]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    uris = [default_tracking_uri(tmp_path / name) for name in "ab"]
    for uri, evaluation in zip(uris, (folder / "0", None), strict=True):
        client = mlflow.MlflowClient(uri)
        experiment = client.create_experiment("vlsenet", artifact_location=(tmp_path / "files").as_uri())
        run_id = log_run(client, uri, experiment, evaluation, variant="killed" if evaluation else "forgotten")
        if evaluation:
            client.set_terminated(run_id, "KILLED")
    notes = compare(uris, tmp_path / "out").findings.notes
    assert any("no evaluation: forgotten (failed)" in note for note in notes)
    assert any("Not trained to the end" in note and "(killed)" in note for note in notes)
