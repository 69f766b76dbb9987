"""The report of runs that lack something: every part of it may be missing."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import mlflow
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from pipeline.comparison import html_report, paired
from pipeline.comparison.choice import choose_runs
from pipeline.comparison.compare import collect_findings
from pipeline.comparison.evaluated_runs import EvaluatedRun, read_runs
from pipeline.comparison.html_report import Findings, draw, markdown, render, table_html
from pipeline.comparison.same_data import check_same_data
from pipeline.comparison.scores import BY_NAME
from pipeline.comparison.variant_scores import cost_table
from pipeline.tracking.stores import Store
from tests.comparison.simulated import evaluate, log_run, stored

Runs = Sequence[EvaluatedRun]
FRAMES = ("curves", "strata")
_PROBABILITY = ("calibration_error", "brier", "dice_at_half")


@pytest.fixture(scope="module")
def runs(make_store, tmp_path_factory) -> Runs:
    """Two seeds of two variants, with everything."""
    folder = tmp_path_factory.mktemp("report")
    uri = make_store(folder)
    client = mlflow.MlflowClient(uri)
    experiment = str(client.create_experiment("rock", artifact_location=(folder / "files").as_uri()))
    for variant, first in (("unet", 0), ("noisy", 10)):
        for seed in range(2):
            evaluate(folder / f"{first + seed}", first + seed, variant == "noisy", checkpoint=f"{first + seed}")
            run_id = log_run(client, uri, experiment, folder / f"{first + seed}", variant=variant, seed=str(seed))
            client.log_metric(run_id, "parameters", 1e6)
    return read_runs(choose_runs([Store(uri)]).runs, folder / "read")[0]


def without(*columns: str) -> Callable[[Runs], Runs]:
    return lambda runs: [replace(run, images=run.images.drop(columns=list(columns), errors="ignore")) for run in runs]


def undefined(runs: Runs) -> Runs:
    """Scores without a value, and trainings that diverged."""
    return [
        replace(
            run,
            images=run.images.assign(cl_dice=np.nan, dice=run.images["dice"].where(run.images["source"] != "0")),
            stored=replace(
                run.stored, metrics={**run.stored.metrics, "peak_memory_bytes": np.nan, "training_seconds": np.inf}
            ),
        )
        for run in runs
    ]


def other_images(runs: Runs) -> Runs:
    """No image that both variants have."""
    return [
        run if run.variant == "unet" else replace(run, images=run.images.assign(name="x" + run.images["name"]))
        for run in runs
    ]


def bare(runs: Runs) -> Runs:
    """Scores of masks, and nothing else."""
    runs = without(*_PROBABILITY, "pixel_size_nm")(runs)
    return [
        replace(run, stored=replace(run.stored, metrics={}, parameters={}), pores=pd.DataFrame(), summary={})
        for run in runs
    ]


def single(runs: Runs) -> Runs:
    """One image and one seed, without its name, and no pore in it."""
    one = [replace(run, images=run.images[run.images["name"] == "1_0"], seed="") for run in runs if run.seed == "0"]
    return [replace(run, pores=run.pores.iloc[:0]) for run in one]


def unequal(runs: Runs) -> Runs:
    """One source; a variant has one seed more, and the other no probabilities and no known pixel sizes."""
    runs = [replace(run, images=run.images[run.images["source"] == "1"]) for run in runs]
    other = [replace(run, images=run.images.assign(pixel_size_nm=np.nan)) for run in without(*_PROBABILITY)(runs[2:])]
    return [*runs[:1], *other]


#: the runs, and whether there are curves and calibration
MISSING: dict[str, tuple[Callable[[Runs], Runs], bool, bool]] = {
    "all but the masks' scores": (bare, False, False),
    "all but one image": (single, True, True),
    "equal runs": (unequal, True, True),
    "defined scores": (undefined, True, True),
    "common images": (other_images, True, True),
    "other variants": (lambda runs: [run for run in runs if run.variant == runs[-1].variant], True, True),
}


def found(runs: Runs, folder) -> Findings:
    return collect_findings(runs, "rock", runs[-1].variant, BY_NAME["dice"], check_same_data(runs), folder)


@pytest.fixture(scope="module")
def findings(runs, tmp_path_factory) -> Findings:
    return replace(found(runs, tmp_path_factory.mktemp("findings")), notes=["Mind the gap."])


@pytest.fixture
def quick(monkeypatch):
    """Fewer draws, and figures that are made but not drawn: both take seconds."""
    monkeypatch.setattr(paired, "_REPLICATES", 50)
    monkeypatch.setattr(html_report, "svg_uri", lambda figure: f"data:image/svg+xml,{len(figure.axes)}")


@pytest.mark.parametrize("what", MISSING)
def test_a_report_without(quick, runs, tmp_path, what):
    change, curves, calibration = MISSING[what]
    findings = found(change(runs), tmp_path)
    page = render(findings, draw(findings))
    drawn = {
        "<h2>Training</h2>": "Curves over the epochs" in page,
        "<h2>Calibration</h2>": "Reliability diagram" in page,
        "<h2>Where is the gain?</h2>": "Differences by stratum" in page,
        "<h2>Largest wins and losses</h2>": 'alt="true pores of' in page,
    }
    for title, is_drawn in drawn.items():
        assert (title in page) == is_drawn, title
    assert drawn["<h2>Training</h2>"] == curves
    assert drawn["<h2>Calibration</h2>"] == calibration
    assert ">nan<" not in page
    assert markdown(findings).count("| unet |") == 1
    assert "<td>unet</td>" in table_html(findings)


@pytest.mark.parametrize("part", ["curves", "strata", "gallery", "comparisons", "costs", "notes"])
def test_each_part_may_be_empty(quick, findings, part):
    whole = getattr(findings, part)
    empty = pd.DataFrame(index=whole.index) if part == "costs" else pd.DataFrame() if part in FRAMES else []
    less = replace(findings, **{part: empty})
    page = render(less, draw(less))
    assert "What the scores mean" in page
    assert len(page) < len(render(findings, draw(findings)))


def test_names_are_text_whatever_they_are(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(paired, "_REPLICATES", 50)
    names = ["a|b <img src=x onerror=alert(1)>", f"_$x_$ 5 % {'n' * 300}", "two\nlines `*[a](b)*`"]
    noisy = [run for run in runs if run.variant == "noisy"]
    changed = [run for run in runs if run.variant == "unet"]
    changed += [replace(run, variant=name) for name in names for run in noisy]
    changed = [
        replace(run, images=run.images.assign(source=run.images["source"].map(lambda source: names[int(source) % 3])))
        for run in changed
    ]
    findings = found(changed, tmp_path)
    drawn: list[str] = []
    monkeypatch.setattr(
        html_report,
        "svg_uri",
        lambda figure: (
            figure.draw_without_rendering()
            or drawn.extend(text.get_text() for text in figure.findobj(Text))
            or "data:,"
        ),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of Matplotlib, where nothing fits
        page = render(findings, draw(findings))
    labels = [text for text in drawn if r"_\$x_\$ 5 %" in text]
    assert labels
    assert all(text.startswith(" _") or not text.startswith("_") for text in labels)
    assert "<img src=x" not in page
    assert "<img src=x" not in table_html(findings)
    lines = markdown(findings).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 1 + len(names)
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1
    assert "<img src=x" not in "\n".join(lines).replace("\\<", "")


@pytest.mark.parametrize(
    ("metrics", "caption"),
    [
        ({"parameters": 1e6}, "Mean over the trainings."),
        ({"parameters": 1e6, "flops": 2}, "Mean over the trainings; FLOPs of one training patch."),
        (
            {"flops": 2, "training_seconds": 60, "peak_memory_bytes": 1e6},
            "Mean over the trainings; FLOPs of one training patch; time and memory on the machine used for training.",
        ),
        ({"peak_memory_bytes": 1e6}, "Mean over the trainings; memory on the machine used for training."),
    ],
)
def test_the_costs_caption_is_of_what_is_there(quick, runs, findings, metrics, caption):
    costs = cost_table([replace(run, stored=stored(metrics=metrics)) for run in runs])
    page = render(replace(findings, costs=costs), {})
    assert f">{caption}</p>" in page


def test_every_score_of_an_evaluation_is_shown(runs):
    others = {"name", "source", "porosity_true", "porosity_predicted", "otsu_dice", "dice_at_half", "pixels"}
    assert set(runs[0].images) - others - {"pixel_size_nm", "prompt"} == set(BY_NAME)


def test_the_page_explains_what_seems_to_contradict_and_counts_plainly(quick, findings):
    first = findings.comparisons[0]
    aside = replace(first, verdict=replace(first.verdict, aside="Wilcoxon's p takes <them> for independent."))
    page = render(replace(findings, comparisons=[aside, *findings.comparisons[1:]]), {})
    row, explained = page.partition('<tr class="aside">')[::2]
    assert first.verdict.word in row[-400:]
    assert "takes &lt;them&gt; for independent." in explained[:200]
    assert "<dt>variants</dt><dd>2</dd>" in page
    assert "<dt>trainings</dt><dd>4</dd>" in page


def test_the_sources_have_marks_that_a_legend_tells_apart(findings):
    (legend,) = draw(findings)["dots"].legends
    marks = [handle.get_marker() for handle in legend.legend_handles]
    assert len(set(marks)) == len(marks) > 1
    assert all(handle.get_markersize() >= 6 and handle.get_alpha() is None for handle in legend.legend_handles)
