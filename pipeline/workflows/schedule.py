"""Learning-rate schedule."""

from __future__ import annotations

import math
from collections.abc import Callable


def warmup_cosine(total_steps: int, warmup_steps: int, final: float = 0.01) -> Callable[[int], float]:
    """Factor on the learning rate: linear warm-up, then half a cosine down to ``final``.

    For ``torch.optim.lr_scheduler.LambdaLR``, whose state holds only the step: a training that is resumed with more
    epochs follows the longer cosine, where a stored ``T_max`` would make the rate rise again.
    """

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        progress = min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))
        return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * progress))

    return factor
