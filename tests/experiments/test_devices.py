from __future__ import annotations

from pipeline.experiments.training_task import visible_gpus


def test_the_gpus_are_those_that_the_user_allows(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-8a,")
    assert visible_gpus() == ["2", "GPU-8a"]
    for none in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", none)
        assert visible_gpus() == []
