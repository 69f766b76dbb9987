"""One scan of a folder as a task: everything that another process needs to segment it as this one would."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from pipeline.cluster.tasks import own_gpu, worker_name
from pipeline.engine import TakenError
from pipeline.errors import UserError
from pipeline.foreground.measurement import ShadingChoice
from pipeline.memory import keep_freed_memory
from pipeline.progress_bars import bars_shown
from pipeline.workflows.bundle_workflow import is_checked, running_config
from pipeline.workflows.items import Prompts
from pipeline.workflows.model_file import TrainedModel, load_model
from pipeline.workflows.ranks import Ranks
from pipeline.workflows.scan.request import ScanSettings
from pipeline.workflows.scan.results import JOURNAL
from pipeline.workflows.scan.segmentation import ScanSegmentation

logger = logging.getLogger("vlsenet")

#: what the worker said of a scan, in the folder of the journal
LOG = "log.txt"
#: how long a task waits for another process at its scan: one that lost the scheduler, and is about to end (s)
_PATIENCE = 120.0
#: a worker with several threads would be given several tasks at a time
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class ModelPlace:
    """Where a worker finds the model, and what it must know.

    Attributes:
        checkpoint: its file, absolute.
        sha256: of it: a worker that kept another, or sees another file, must not go on.
        device: for the network; None: a GPU of the worker if it has one, else the CPU.
        prompts: of all scans: a worker learns them once.
        text_weights: as for `TrainedModel.ask`.
    """

    checkpoint: str
    sha256: str
    device: str | None
    prompts: tuple[str | tuple[str, ...], ...]
    text_weights: str | None

    @classmethod
    def of(cls, model: TrainedModel, prompts: Iterable[Prompts], text_weights: str | None) -> ModelPlace:
        """That of a model that was loaded here; workers choose the device, unless the user did."""
        given = running_config().get("device") if is_checked() else None
        device = None if given is None or str(given).startswith("$") else str(given)
        weights = None if text_weights is None else str(Path(text_weights).absolute())
        hashable = dict.fromkeys(one if isinstance(one, str) else tuple(one) for one in prompts)
        return cls(str(Path(model.path).absolute()), model.sha256, device, tuple(hashable), weights)

    def learned(self, shading: ShadingChoice) -> TrainedModel:
        """The model, which this process keeps for the next scan."""
        model = _loaded(self.checkpoint, self.sha256, self.device or _own_device(), shading)
        texts = [text for one in self.prompts for text in ([one] if isinstance(one, str) else one)]
        model.learn_prompts(list(dict.fromkeys(texts)), self.text_weights)
        return model


@dataclass(frozen=True)
class ScanTask:
    """A scan to be segmented by a worker.

    Attributes:
        path: of the scan, absolute: workers have other current folders.
        folder: of the results, absolute.
        model: what segments.
        settings: with the prompt of this scan.
        overwrite: replace a finished segmentation, or one of other settings.
        mark: of the command that asks for it.
        neighbours: workers that share the memory of a machine.
    """

    path: str
    folder: str
    model: ModelPlace
    settings: ScanSettings
    overwrite: bool
    mark: str
    neighbours: int = 1


def run_scan_task(task: ScanTask) -> bool:
    """Segment the scan of a task, or go on with it; what is said of it goes to ``journal/log.txt`` of its results.

    Returns:
        Whether there was anything to do; otherwise it was finished before.

    Raises:
        UserError: the scan can't be segmented.
    """
    keep_freed_memory()
    log, ended = Path(task.folder) / JOURNAL / LOG, f"ended for command {task.mark}"
    # bars of several processes would overwrite each other
    with _ONE_AT_A_TIME, bars_shown(False), _logged(log):
        # a worker that died may have finished it, and nobody knows; what was segmented now is not overwritten
        overwrite = task.overwrite and ended not in log.read_text(encoding="utf-8")
        segmentation = ScanSegmentation(
            task.path,
            task.folder,
            task.model.learned(task.settings.prediction.shading),
            task.settings,
            Ranks(local_count=task.neighbours),
            overwrite,
            say=logger.info,
            worker=worker_name(),
        )
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                was_to_do = segmentation.run() is not None
                logger.info("%s", ended)
                return was_to_do
            except TakenError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(2)


@functools.lru_cache(maxsize=1)
def _loaded(checkpoint: str, sha256: str, device: str, shading: ShadingChoice) -> TrainedModel:
    model = load_model(checkpoint, device, shading)
    if model.sha256 != sha256:
        raise UserError(
            f"{checkpoint}: {worker_name()} sees another file there than the command does; "
            "put the model where all machines see the same"
        )
    return model


def _own_device() -> str:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return f"cuda:{own_gpu(count)}" if count else "cpu"


@contextmanager
def _logged(path: Path) -> Iterator[None]:
    """While this lasts, what the package says goes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    before = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.info("worker %s", worker_name())
        yield
    except Exception:
        logger.exception("not segmented")
        raise
    finally:
        logger.removeHandler(handler)
        handler.close()
        logger.level, logger.propagate = before
