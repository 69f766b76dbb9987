from __future__ import annotations

import pickle
from pathlib import Path

from pipeline.data.problems import MOST_LINES, Problem, problems_error
from pipeline.errors import FileProblem


def test_file_problem_survives_a_worker_process() -> None:
    error = FileProblem(Path("a.png"), "it is empty", "copy it")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.png: it is empty; copy it"
    assert Problem.of(again, "a") == Problem(Path("a.png"), "it is empty", "copy it", ("a",))


def test_one_line_for_each_problem_and_an_end() -> None:
    root = Path("set")
    problems = [Problem(root / f"{i}.png", "it is empty", "copy it") for i in range(MOST_LINES + 3)]
    lines = str(problems_error(root, problems, advice="Fix them.")).splitlines()
    assert lines[0] == f"set: {MOST_LINES + 3} problems in the data set:"
    assert lines[1] == "  0.png: it is empty; copy it"
    assert lines[-2:] == ["  ... and 3 more", "Fix them."]
    assert len(lines) == MOST_LINES + 3
    assert str(problems_error(root, problems[:1])).startswith("set: 1 problem in")
