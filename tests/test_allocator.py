from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys

import pytest

from pipeline.memory import HUGE_PAGES

_WORK = """
import resource
import numpy as np
from pipeline.memory import keep_freed_memory
assert keep_freed_memory()
np.ones(1 << 26)  # half a gigabyte
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    np.ones(1 << 26)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize("huge", ["0", "1"])
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives large blocks back at once")
def test_a_freed_block_is_used_again_or_costs_next_to_nothing(huge: str) -> None:
    """Pages that are touched for the first time fault: half a gigabyte has 131 072 of them, or 256 huge ones."""
    environment = {**os.environ, HUGE_PAGES: huge}
    run = subprocess.run([sys.executable, "-c", _WORK], capture_output=True, text=True, check=True, env=environment)
    assert int(run.stdout) < 0.2 * 3 * (1 << 29) / resource.getpagesize()
