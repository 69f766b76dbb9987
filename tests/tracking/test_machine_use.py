from __future__ import annotations

import sys
import time
from types import SimpleNamespace

from mlflow.system_metrics.metrics import gpu_monitor as gpu

from pipeline.tracking.machine_use import MachineUse


def test_a_busy_processor_is_seen_and_each_epoch_stands_for_itself():
    use = MachineUse()
    use.of_epoch()  # what was before
    end = time.process_time() + 0.3
    while time.process_time() < end:
        pass
    busy = use.of_epoch()
    assert busy["system/cpu_utilization_percentage"] > 10
    assert 0 < busy["system/system_memory_usage_percentage"] < 100
    assert use.of_epoch().keys() == busy.keys()


def test_gpus_are_told_where_the_driver_can_be_asked(monkeypatch):
    driver = SimpleNamespace(
        NVMLError=RuntimeError,
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 1,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetMemoryInfo=lambda handle: SimpleNamespace(used=25e6, total=100e6),
        nvmlDeviceGetUtilizationRates=lambda handle: SimpleNamespace(gpu=60),
        nvmlDeviceGetPowerUsage=lambda handle: 100_000,
        nvmlDeviceGetEnforcedPowerLimit=lambda handle: 400_000,
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)
    monkeypatch.setattr(gpu, "pynvml", driver, raising=False)
    found = MachineUse().of_epoch()
    assert found["system/gpu_0_utilization_percentage"] == 60
    assert found["system/gpu_0_memory_usage_megabytes"] == 25
