"""From trainings by hand to their comparison."""

from __future__ import annotations

import mlflow
import pytest

from pipeline.cli.compare import store_addresses
from pipeline.cli.main import main
from pipeline.comparison import paired
from pipeline.errors import MISTAKE, SUCCESS, UserError
from tests.comparison.simulated import evaluate, log_run


@pytest.fixture(scope="module")
def runs(make_store, tmp_path_factory):
    """Two evaluated trainings with a store each, one of them evaluated twice, and one without an evaluation."""
    folder = tmp_path_factory.mktemp("runs")
    for seed, variant in enumerate(("first", "second", "third")):
        uri = make_store(folder / variant)
        client = mlflow.MlflowClient(uri)
        experiment = str(client.create_experiment("vlsenet", artifact_location=(folder / variant / "files").as_uri()))
        out = None if variant == "third" else folder / variant / "val"
        if out is not None:
            evaluate(out, seed, False, checkpoint=variant)
        run_id = log_run(client, uri, experiment, out, variant=variant)
        for name, value in {"seed": seed, "network.network": "vlsenet", "learning_rate": 1e-3}.items():
            client.log_param(run_id, name, value)
        if variant == "first":
            further = log_run(client, uri, experiment, out, variant=variant, training=run_id)
            client.set_tag(further, "evaluated_split", "test")
    return folder


def test_trainings_with_a_store_each_are_compared(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(paired, "_REPLICATES", 50)
    stores = [str(runs / "first"), str(runs / "second")]
    assert main(["compare", *stores, "--baseline", "first", "--output_dir", str(tmp_path)]) == SUCCESS
    out = capsys.readouterr().out
    assert "second is not distinguishable from first" in out
    assert "first, second were trained with the same settings and seeds 0, 1" in out
    assert "further evaluations of the same trainings" in out
    assert (tmp_path / "report.html").exists()


def test_a_run_without_an_evaluation_is_named_and_is_no_success(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(paired, "_REPLICATES", 50)
    stores = [str(runs / name) for name in ("first", "second", "third")]
    assert main(["compare", *stores, "--baseline", "first", "--output_dir", str(tmp_path)]) == MISTAKE
    shown = capsys.readouterr()
    assert "not compared, as they have no evaluation: third (failed)" in shown.err
    assert "second is not distinguishable from first" in shown.out
    assert "third (failed)" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["first", "second"], "--baseline is missing; choose from first, second"),
        (["third"], "1 runs (third), none of them evaluated; evaluate each training first"),
        (["first", "--split", "train"], "evaluated splits: test, val"),
        (["first", "--baseline", "frist"], "did you mean first?"),
    ],
)
def test_what_is_there_is_told(runs, tmp_path, capsys, words, told):
    stores = [str(runs / word) if word in ("first", "second", "third") and place < 2 else word
              for place, word in enumerate(words)]  # fmt: skip
    assert main(["compare", *stores, "--output_dir", str(tmp_path / "out")]) == MISTAKE
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1


def test_a_folder_with_the_report_of_something_else_is_left_alone(runs, tmp_path, capsys):
    (tmp_path / "report.html").write_text("of a scan")
    assert main(["compare", str(runs / "first"), "--output_dir", str(tmp_path)]) == MISTAKE
    assert "was not written by a comparison" in capsys.readouterr().err
    assert (tmp_path / "report.html").read_text() == "of a scan"


def test_stores_of_a_folder(runs, tmp_path):
    assert store_addresses(str(runs)) == [f"sqlite:///{runs / name}/mlflow.db" for name in ("first", "second", "third")]
    assert store_addresses("http://localhost:5000") == ["http://localhost:5000"]
    with pytest.raises(UserError, match=r"no mlflow\.db found"):
        store_addresses(str(tmp_path))


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0", b"name,source\n"])
def test_a_file_that_is_no_store_stays_as_it_is(tmp_path, capsys, content):
    (tmp_path / "mlflow.db").write_bytes(content)
    assert main(["compare", str(tmp_path), "--output_dir", str(tmp_path / "out")]) == MISTAKE
    assert "is not an MLflow store" in capsys.readouterr().err
    assert (tmp_path / "mlflow.db").read_bytes() == content
