from __future__ import annotations

from pipeline.experiments.runner import least_used, visible_gpus


def test_the_gpus_are_those_that_the_user_allows(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8a,")
    assert visible_gpus() == ["2", "GPU-8a"]
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert visible_gpus() == []


def test_the_gpu_with_the_fewest_runs_is_next():
    assert least_used(["0", "1"], []) == "0"
    assert least_used(["0", "1"], ["0"]) == "1"
    assert least_used(["0", "1", "2"], ["0", "1", "2", "0", "1"]) == "2"
    assert least_used([], []) is None
