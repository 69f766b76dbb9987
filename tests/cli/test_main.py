from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

import pipeline
from pipeline.cli.main import COMMANDS, main
from pipeline.cli.overrides import overrides
from pipeline.errors import INTERRUPTED, MISTAKE, SUCCESS, WRONG_USAGE
from tests.paths import ROOT

HEAVY = {"torch", "monai", "numpy", "scipy", "pandas", "mlflow", "matplotlib", "PIL", "yaml", "tqdm"}


def refused(*arguments: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == WRONG_USAGE


def test_help_of_all_commands_loads_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from pipeline.cli.main import COMMANDS, main\n"
        "main([])\n"
        "for words in (['--help'], *([name, '--help'] for name in COMMANDS)):\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit as end:\n"
        "        assert not end.code, words\n"
        f"heavy = {HEAVY!r} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("examples:") == len(COMMANDS) + 2
    assert done.stdout.count("130 interrupted") == len(COMMANDS) + 2


def test_it_is_a_console_script() -> None:
    import configparser

    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert "vlsenet = vlsenet:main" in setup["options.entry_points"]["console_scripts"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == SUCCESS
    assert capsys.readouterr().out == f"vlsenet {pipeline.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["segmnt", "a.tif"], "unknown command 'segmnt'; did you mean segment?"),
        (["frob"], "unknown command 'frob'; choose from segment"),
        (["--frob"], "unknown option --frob"),
        (["segment", "--thresold", "0.5", "a.tif"], "unknown option --thresold; did you mean --threshold?"),
        (["segment", "a.tif", "--output-dir", "b"], "unknown option --output-dir; did you mean --output_dir?"),
        (["segment", "a.tif", "--halo", "64"], "unknown option --halo; give --set halo=VALUE"),
        (["segment", "a.tif", "--over"], "unknown option --over; did you mean --overwrite?"),
        (["segment", "my", "scan.tif"], "unexpected argument 'scan.tif'"),
        (
            ["segment", "a.tif", "--pixel_size_nm", "97,6"],
            "--pixel_size_nm: invalid float value: '97,6': write a decimal point",
        ),
        (["segment"], "required: FILE|DIR"),
        (["train", "rock"], "--output_dir is missing"),
        (["compare", "runs"], "--output_dir is missing"),
    ],
)
def test_wrong_usage_is_told_in_a_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(*arguments)
    error, where = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert told in error
    assert where.startswith("see vlsenet ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["segment", "none.tif"], "none.tif: no such file"),
        (["segment", "a.tif"], "no model"),
        (["segment", "a.tif", "--checkpoint", "none.pt"], "none.pt: no such file"),
        (
            ["segment", "a.tif", "--checkpoint", "a.tif", "--set", "halp=3"],
            "scan.yaml has no option halp; did you mean halo?",
        ),
        (["train", "none", "--output_dir", "b"], "none: no such folder"),
        (["evaluate", "a.tif"], "a.tif: it is a file"),
        (["compare", "none", "--output_dir", "b"], "no mlflow.db found"),
        (["info", "none"], "none: no such file"),
        (["prepare", "none"], "none: no such folder"),
        (["prompts", "none"], "none: no such folder"),
        (["audit", "none"], "none: no such folder"),
        (["export"], "no model"),
    ],
)
def test_mistakes_are_told_at_once(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VLSENET_CHECKPOINT", raising=False)
    monkeypatch.setattr("pipeline.cli.paths.default_model", lambda: None)  # as where the package was built without it
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    assert main(arguments) == MISTAKE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("error: ")
    assert told in captured.err


def test_ctrl_c_has_a_status_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.cli.bundle_commands.run_bundle", interrupt)
    assert main(["train", str(tmp_path), "--output_dir", "b"]) == INTERRUPTED
    assert capsys.readouterr().err == "interrupted\n"


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What the commands would run, in place of running it."""
    calls: list[tuple[str, dict[str, object]]] = []

    def keep(config: str, opening: str, given: argparse.Namespace) -> int:
        calls.append((config, overrides(given, config)))
        return SUCCESS

    monkeypatch.setattr("pipeline.cli.bundle_commands.run_bundle", keep)
    return calls


def test_what_was_not_given_is_left_to_the_config(ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VLSENET_CHECKPOINT", raising=False)
    (tmp_path / "scan.ome.tif").write_bytes(b"II*\0")
    (tmp_path / "best.pt").write_bytes(b"PK")
    assert main(["segment", "scan.ome.tif"]) == SUCCESS
    assert ran == [("scan", {"input": "scan.ome.tif", "checkpoint": "best.pt", "output_dir": "scan_pores"})]


def test_folders_of_results_have_a_name(ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.pt").write_bytes(b"PK")
    (tmp_path / "rock").mkdir()
    assert main(["evaluate", "rock"]) == main(["audit", "rock", "--split", "test"]) == SUCCESS
    assert main(["export", "--formats", "onnx,torchscript", "--text_inputs"]) == SUCCESS
    assert [(config, given["output_dir"]) for config, given in ran] == [
        ("evaluate", "rock_scores"),
        ("audit", "rock_audit"),
        ("export", "exported"),
    ]
    assert ran[1][1]["split"] == "test"
    assert (ran[2][1]["formats"], ran[2][1]["text_inputs"]) == (["onnx", "torchscript"], True)


def test_options_reach_the_config_with_their_types(ran, tmp_path: Path) -> None:
    model = tmp_path / "best.pt"
    model.write_bytes(b"PK")
    words = [
        "segment",
        str(tmp_path),
        "--checkpoint",
        str(model),
        "--output_dir",
        "$out",
        "--stack",
        "--info_bar",
        "60",
    ]
    words += ["--formats", "tiff, nifti", "--pixel_size_nm", "12.5", "--set", "halo=64", "--set", "skip_empty=false"]
    assert main(words) == SUCCESS
    assert ran[0][1] == {
        "input": str(tmp_path),
        "checkpoint": str(model),
        "output_dir": r"$'\U00000024out'",  # MONAI would take the first character for an expression's; this is one
        "stack": True,
        "info_bar": 60,
        "formats": ["tiff", "nifti"],
        "pixel_size_nm": 12.5,
        "halo": 64,
        "skip_empty": False,
    }


@pytest.mark.parametrize(
    "words",
    [
        ["convert", "scan_pores", "--formats", "csv"],
        ["suggest", "scan.tif"],
        ["compare", "runs/first", "runs/second"],
        ["bundle"],
        ["experiment", "plan.yaml"],
        ["rerun", "first", "sqlite:///mlflow.db"],
        ["segment", "scan.tif"],
    ],
)
@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_file_in_the_place_of_the_output_folder_is_refused_at_once(
    words: list[str], below: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.tif").touch()
    (tmp_path / "mine").write_text("kept")
    assert main([*words, "--output_dir", str(Path("mine") / below)]) == MISTAKE
    told = capsys.readouterr().err
    assert f"{tmp_path / 'mine'} is a file; give a folder for the results" in told
    assert "Traceback" not in told
    assert (tmp_path / "mine").read_text() == "kept"
