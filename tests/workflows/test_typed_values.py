from __future__ import annotations

import pytest

from pipeline.errors import UserError
from pipeline.workflows.typed_values import as_typed


@pytest.mark.parametrize(
    ("line", "read", "typed"),
    [
        (["--output_dir", "5.10"], {"output_dir": 5.1}, {"output_dir": "5.10"}),
        (["--output_dir=2024_11_22"], {"output_dir": 20241122}, {"output_dir": "2024_11_22"}),
        (["--prompt", "pore, crack"], {"prompt": ("pore", "crack")}, {"prompt": "pore, crack"}),
        (["--prompt", "'5'"], {"prompt": "5"}, {"prompt": "5"}),
        (["--group_pattern", "(1)"], {"group_pattern": 1}, {"group_pattern": "(1)"}),
        (["--variant", "2024_11_22"], {"variant": 20241122}, {"variant": "2024_11_22"}),
        (["--mlflow_run_id", "1_0"], {"mlflow_run_id": 10}, {"mlflow_run_id": "1_0"}),
        (["--split_csv", "1.50"], {"split_csv": 1.5}, {"split_csv": "1.50"}),
        (["--mirror", "false"], {"mirror": "false"}, {"mirror": False}),
        (["--switches::context", "False"], {"switches::context": False}, {"switches::context": False}),
        (["--resume", "--seed", "3"], {"resume": True, "seed": 3}, {"resume": True, "seed": 3}),
    ],
)
def test_values_are_those_that_were_typed(line, read, typed):
    assert as_typed(read, ["run", *line]) == typed


def test_a_character_that_monai_replaces_is_refused():
    with pytest.raises(UserError, match="--output_dir exp#2"):
        as_typed({"output_dir": "exp"}, ["run", "--output_dir", "exp#2"])


def test_what_came_from_elsewhere_stays():
    assert as_typed({"output_dir": "a", "seed": 1}, ["pytest", "-q"]) == {"output_dir": "a", "seed": 1}
