from __future__ import annotations

from collections.abc import Callable

import pytest

from pipeline.experiments import Plan

#: a training of seconds
SHORT = {"max_epochs": 2, "steps_per_epoch": 1, "batch_size": 2, "patch_size": 64}


@pytest.fixture
def make_short() -> Callable[[Plan], Plan]:
    return lambda plan: plan.with_common(SHORT)
