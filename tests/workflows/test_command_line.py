from __future__ import annotations

import pytest

from pipeline.errors import MISTAKE, UserError
from pipeline.workflows import command_line
from pipeline.workflows.command_line import read_command_line, run_command_line


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        (["--output_dir", "5.10"], {"output_dir": "5.10"}),
        (["--output_dir=2024_11_22"], {"output_dir": "2024_11_22"}),
        (["--prompt", "pore, crack"], {"prompt": "pore, crack"}),
        (["--prompt", "'5'"], {"prompt": "5"}),
        (["--group_pattern", "(1)"], {"group_pattern": "(1)"}),
        (["--variant", "2024_11_22"], {"variant": "2024_11_22"}),
        (["--mlflow_run_id", "1_0"], {"mlflow_run_id": "1_0"}),
        (["--split_csv", "1.50"], {"split_csv": "1.50"}),
        (["--mirror", "false"], {"mirror": False}),
        (["--switches::context", "False"], {"switches::context": False}),
        (["--resume", "--seed", "3"], {"resume": True, "seed": 3}),
        (["--learning_rate", "1e-3", "--formats", "tiff,nifti"], {"learning_rate": 1e-3, "formats": ("tiff", "nifti")}),
        (["--config_file", "['a.yaml','b.yaml']"], {"config_file": ["a.yaml", "b.yaml"]}),
        (["go", "--args_file", "a.yaml"], {"run_id": "go", "args_file": "a.yaml"}),
    ],
)
def test_values_are_those_that_were_typed(words, typed):
    assert read_command_line(["run", *words]) == read_command_line(["run_workflow", *words]) == typed


@pytest.mark.parametrize(("rank", "printed"), [("0", "error: no such file\nerror: nor this\n"), ("1", "")])
def test_one_process_of_several_prints_a_mistake(rank, printed, monkeypatch, capsys):
    def fail(**_: object) -> None:
        raise RuntimeError("MONAI's own words") from UserError("no such file\nnor this")

    monkeypatch.setenv("RANK", rank)
    monkeypatch.setattr(command_line.monai.bundle, "run", fail)
    assert run_command_line(["run", "--seed", "1"]) == MISTAKE
    assert capsys.readouterr().err == printed


def test_other_errors_keep_their_trace(monkeypatch, capsys):
    monkeypatch.setattr(command_line.monai.bundle, "run", lambda **_: 1 / 0)
    assert run_command_line(["run", "--seed", "1"]) == MISTAKE
    assert "ZeroDivisionError" in capsys.readouterr().err
