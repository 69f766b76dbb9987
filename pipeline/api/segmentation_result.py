"""What a segmentation in Python gives."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.api.given import path_given
from pipeline.api.measured import Measured
from pipeline.api.python_wording import says_in_python
from pipeline.api.stored_array import StoredArray
from pipeline.engine.store import MASK
from pipeline.errors import UserError
from pipeline.phases import PORE
from pipeline.report import report_of_scan, write_report
from pipeline.tracking.provenance import versions
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan import ScanSettings
from pipeline.workflows.scan.first_look import FirstLook
from pipeline.workflows.scan.segmented import SegmentedScan


class Segmentation:
    """A segmented image, scan or stack.

    Of a model that finds pores alone, `mask`, `probability` and `pores` are those of the pores. Of several phases each
    has its own, by its name: `result["silt grain"].mask`.

    Attributes:
        name: of the scan: its path, or the image's place in a batch.
        phases: what was measured of each phase (`Measured`), by its name.
        pixel_size_nm: side of a pixel (nm); None: not known, and lengths are in pixels.
        familiarity: whether the model knows such scans: `like` its training images, `unlike`, `far off` or `unknown`.
        advice: the same in a sentence, and what to do.
        folder: of the files, where a folder was given.
    """

    def __init__(
        self,
        scan: SegmentedScan,
        look: FirstLook,
        model: TrainedModel,
        settings: ScanSettings,
        folder: Path | None = None,
    ) -> None:
        self._scan, self._look = scan, look
        self.name, self.folder = scan.volume.path, folder
        self.pixel_size_nm = scan.pixel_size_nm
        self.familiarity, self.advice = look.level, look.said
        manifest: dict[str, Any] = {
            "request": settings.asked,
            "checkpoint": str(model.path),
            "model": model.about,
            "familiarity": look.to_dict(),
            "reads_prompt": model.reads_prompt,
            "device": str(model.device),
            "versions": versions(),
        }
        least = settings.min_pore_area_px
        self.phases: dict[str, Measured] = {phase.name: Measured(scan, phase, manifest, least) for phase in scan.phases}

    def __repr__(self) -> str:
        found = ", ".join(f"{name} {one._phase.porosity}" for name, one in self.phases.items())
        return f"<vlsenet.Segmentation of {self.name}, {' x '.join(map(str, self.shape))} px: {found}>"

    def _repr_html_(self) -> str:
        from pipeline.api.notebook import card

        return card(self._scan, [one._measures for one in self.phases.values()], Path(self.name).name, self.advice)

    def __getitem__(self, phase: str) -> Measured:
        if not isinstance(phase, str) or phase not in self.phases:
            raise UserError(f"no phase {phase!r} was asked for; there is {', '.join(self.phases)}")
        return self.phases[phase]

    def __iter__(self) -> Iterator[str]:
        return iter(self.phases)

    def __contains__(self, phase: object) -> bool:
        return isinstance(phase, str) and phase in self.phases

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the mask: (H, W), of a stack (D, H, W) (px)."""
        return StoredArray(self._scan.store, MASK).shape

    @property
    def porosity(self) -> float:
        """Pore pixels over rock pixels (0 to 1); NaN where there is no rock.

        Raises:
            UserError: pore is none of the phases.
        """
        return self[PORE].porosity

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the porosity; see `Measured.interval` and `interval_is_of`."""
        return self[PORE].interval

    @property
    def fractions(self) -> dict[str, float]:
        """Each phase's share of the rock (0 to 1), by its name."""
        return {name: one.fraction for name, one in self.phases.items()}

    @cached_property
    def mask(self) -> np.ndarray:
        """Where there is pore, boolean; of several phases their label image, uint8: k is the k-th of `phases`, 0 none.

        Its shape is (H, W), of a stack (D, H, W).
        """
        codes = np.asarray(self.lazy_mask)
        return codes if self._scan.store.labelled else codes > 0

    @property
    def lazy_mask(self) -> StoredArray:
        """As it is stored, uint8, of which only what is asked for is read: 0 and 255, or the label image."""
        return StoredArray(self._scan.store, MASK)

    @cached_property
    def probability(self) -> np.ndarray:
        """Probability of pore, float32, 0 to 1 in steps of 1/255, of the mask's shape; of K phases (K, ...)."""
        each = [one.probability for one in self.phases.values()]
        return np.stack(each) if self._scan.store.labelled else each[0]

    @property
    def pores(self) -> pd.DataFrame:
        """A row for each pore, as in `pores.csv`; see `Measured.pores`."""
        return self[PORE].pores

    @property
    def pores_3d(self) -> pd.DataFrame:
        """Of a stack, a row for each pore in space; see `Measured.pores_3d`."""
        return self[PORE].pores_3d

    @says_in_python
    def write_report(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the HTML page that `vlsenet segment` writes: one file, which needs no network.

        Args:
            path: of the file.
            overwrite: replace a file that is there.

        Raises:
            UserError: there is such a file, or the disk is full or refuses.
        """
        file = Path(path_given(path, "write_report", "name the file, such as report.html"))
        if file.is_file() and not overwrite:
            raise UserError(f"{path} is there already; name another file, or give overwrite=True to replace it")
        measures = [one._measures for one in self.phases.values()]
        page = report_of_scan(measures, self._scan.store, self._scan.pictured, self.name)
        try:
            write_report(file, page)
        except OSError as error:
            raise UserError(f"cannot write {path} ({error.strerror or error}); name another file") from error
