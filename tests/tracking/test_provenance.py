from __future__ import annotations

import importlib.metadata
import json

import torch

from pipeline.tracking.provenance import environment


def test_the_environment_tells_what_the_numbers_depend_on():
    found = environment("cpu")
    assert json.loads(json.dumps(found)) == found
    assert found["versions"]["torch"] == importlib.metadata.version("torch")
    assert found["packages"]["scipy"] == importlib.metadata.version("scipy")
    assert found["threads"] == torch.get_num_threads()
    assert found["device"] == "cpu"
    assert found["processor"]
