"""A model that segments arrays and files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.api.python_wording import says_in_python
from pipeline.api.scan_options import scan_settings
from pipeline.api.segmentation_result import Segmentation
from pipeline.data.pairs import sentence_of
from pipeline.errors import UserError
from pipeline.images import inputs_of, scans_in
from pipeline.images.formats import is_zarr
from pipeline.images.microscope.scale_bar import SCALE_BAR
from pipeline.images.volume import ScanVolume, open_volume, volume_of_array
from pipeline.progress_bars import bars_shown
from pipeline.text import clean_prompt
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan import ScanSegmentation, ScanSettings
from pipeline.workflows.scan.finished import refuse_own_input
from pipeline.workflows.scan.in_memory import segment_in_memory
from pipeline.workflows.scan.segmented_folder import segmented_in_folder
from pipeline.workflows.scan.voxel import take_scale_bar

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pipeline.api.scan_options import ScanOptions


class Model:
    """A trained model; `vlsenet.load` gives it.

    Attributes:
        title: what it is called: its name and what it was trained on, or its file.
        path: its file.
        device: where its network runs.
        phases: names of what it finds; `("pore",)` for most.
        threshold: probability from which a pixel is pore, or of several phases each, by name.
        pixel_sizes_nm: of its training images (nm); empty where not known.
    """

    def __init__(self, trained: TrainedModel, text_weights: str | None = None) -> None:
        self._trained, self._text_weights = trained, text_weights
        self.title, self.path, self.device = trained.title, trained.path, trained.device
        self.phases = tuple(phase.name for phase in trained.phases)
        self.threshold = trained.threshold
        self.pixel_sizes_nm = tuple(map(float, trained.data["pixel_sizes_nm"]))

    def __repr__(self) -> str:
        return f"<vlsenet.Model: {self.title}; finds {', '.join(self.phases)}; on {self.device}>"

    @says_in_python
    def predict(
        self,
        image: np.ndarray | torch.Tensor,
        *,
        stack: bool = False,
        progress: bool = False,
        **options: Unpack[ScanOptions],
    ) -> Segmentation:
        """Segment an image, or a stack, that is in memory. Nothing is written.

        Args:
            image: grey values, NumPy or torch, of any real type, (H, W) or (1, H, W); with `stack` the slices
                (D, H, W) of one volume.
            stack: it is a volume.
            progress: show a progress bar.
            options: as in `vlsenet segment`: `pixel_size_nm`, `threshold`, `phases` ... (`ScanOptions`).

        Raises:
            UserError: an argument is wrong, or the image can't be segmented: it is too small, or all its grey levels
                are equal.
        """
        settings = self._settings({"info_bar": "keep", **options})
        with bars_shown(progress):
            return self._in_memory(_volume(_as_image(image, "image", stack), "image", settings), settings)

    @says_in_python
    def predict_batch(
        self,
        images: np.ndarray | torch.Tensor | Sequence[np.ndarray | torch.Tensor],
        *,
        progress: bool = False,
        **options: Unpack[ScanOptions],
    ) -> list[Segmentation]:
        """Segment several images that are in memory, each as `predict` does.

        Each is a micrograph of its own: it is normalised over its own rock, and its result does not depend on the
        others.

        Args:
            images: (N, H, W) or (N, 1, H, W), or a list of images (H, W) of any sizes.
            progress: show progress bars.
            options: as for `predict`, the same for all.

        Raises:
            UserError: as `predict`.
        """
        settings = self._settings({"info_bar": "keep", **options})
        arrays = [_as_image(one, f"image {number}") for number, one in enumerate(images)]
        with bars_shown(progress):
            return [
                self._in_memory(_volume(one, f"image {number}", settings), settings)
                for number, one in enumerate(arrays)
            ]

    @says_in_python
    def segment(
        self,
        path: str | os.PathLike[str],
        *,
        stack: bool = False,
        page: int | None = None,
        output_dir: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        report: bool = True,
        formats: str | Sequence[str] = (),
        progress: bool = False,
        **options: Unpack[ScanOptions],
    ) -> Segmentation:
        """Segment a scan or a stack, as `vlsenet segment` does: the same bytes.

        Args:
            path: any image that the commands take, or with `stack` a folder of slices.
            stack: the folder of slices, or the file with several images, is one volume.
            page: which image of a file with several, from 0.
            output_dir: folder for all that the command writes; an interrupted segmentation resumes there, and a
                finished one is read. None: nothing is written.
            overwrite: replace what is in `output_dir`.
            report: write the report and its tables into `output_dir`.
            formats: also write the mask as `tiff` or `nifti` there.
            progress: show a progress bar.
            options: as for `predict`.

        Raises:
            UserError: the scan can't be read or segmented, an argument is wrong, or `output_dir` can't be used.
        """
        if not isinstance(path, (str, os.PathLike)):
            raise UserError(f"segment takes the path of a file, not {type(path).__name__}; give arrays to predict")
        name = os.fspath(path)
        settings = self._settings({**options, "stack": stack, "page": page, "report": report, "formats": formats})
        if not stack and Path(name).is_dir() and not is_zarr(Path(name)):
            raise UserError(f"{name}: it is a folder; give stack=True if it is one volume, or use segment_folder")
        if output_dir is None:
            return self._segment(name, settings, progress)
        if not os.fspath(output_dir):
            raise UserError("output_dir is empty; name a folder, or leave it out to write nothing")
        asked = self._asked(name, settings)
        refuse_own_input(inputs_of(name), [Path(output_dir)])
        with bars_shown(progress):
            ScanSegmentation(
                name, Path(output_dir), self._trained, asked, overwrite=overwrite, say=lambda line: None
            ).run()
            scan, look = segmented_in_folder(Path(output_dir), self._opened(name, asked), self._trained, asked)
        return Segmentation(scan, look, self._trained, asked, Path(output_dir))

    @says_in_python
    def segment_folder(
        self, folder: str | os.PathLike[str], *, progress: bool = False, **options: Unpack[ScanOptions]
    ) -> dict[str, Segmentation]:
        """Segment all scans of a folder, each as `segment` does.

        Args:
            folder: of the scans; folders in it are left out.
            progress: show progress bars.
            options: as for `predict`, the same for all.

        Returns:
            By the names of the files.

        Raises:
            UserError: there is no image, or one can't be segmented.
        """
        settings = self._settings(dict(options))
        scans = scans_in(os.fspath(folder))
        if not scans:
            raise UserError(
                f"{os.fspath(folder)}: no such folder of scans; check the path, or give a single scan to segment"
            )
        return {scan.name: self._segment(str(scan), settings, progress) for scan in scans}

    def _settings(self, options: Mapping[str, Any]) -> ScanSettings:
        settings = scan_settings(self._trained, options)
        if not settings.sentences:
            prompts = [settings.prompt] if isinstance(settings.prompt, str) else settings.prompt
            self._trained.learn_prompts(prompts, self._text_weights)
        return settings

    def _asked(self, path: str, settings: ScanSettings) -> ScanSettings:
        """With the scan's own sentence, where it has one and is to be asked with it."""
        own = sentence_of(Path(path)) if settings.sentences else None
        asked = replace(settings, prompt=clean_prompt(own)) if own else settings
        if settings.sentences:
            self._trained.learn_prompts([str(asked.prompt)], self._text_weights)
        return asked

    def _segment(self, path: str, settings: ScanSettings, progress: bool) -> Segmentation:
        asked = self._asked(path, settings)
        with bars_shown(progress):
            return self._in_memory(self._opened(path, asked), asked)

    def _opened(self, path: str, settings: ScanSettings) -> ScanVolume:
        volume = open_volume(
            path, stack=settings.stack, page=settings.page, info_bar=settings.info_bar, invert=settings.invert
        )
        if settings.pixel_size_nm == SCALE_BAR:
            take_scale_bar(volume)
        return volume

    def _in_memory(self, volume: ScanVolume, settings: ScanSettings) -> Segmentation:
        with _closed(volume):
            scan, look = segment_in_memory(volume, self._trained, settings)
        return Segmentation(scan, look, self._trained, settings)


@contextmanager
def _closed(volume: ScanVolume) -> Iterator[None]:
    """Files are closed, and opened again for a picture."""
    try:
        yield
    finally:
        volume.close()


def _volume(pixels: np.ndarray, name: str, settings: ScanSettings) -> ScanVolume:
    return volume_of_array(pixels, name, settings.info_bar, settings.invert)


def _as_image(image: np.ndarray | torch.Tensor, name: str, stack: bool = False) -> np.ndarray:
    """An image (H, W), or a stack (D, H, W).

    Raises:
        UserError: another shape, or masked pixels.
    """
    if np.ma.is_masked(image):
        raise UserError(
            f"{name} has masked pixels, which would count as rock; fill them with a grey value, or crop them off"
        )
    if isinstance(image, torch.Tensor):
        image = image.detach().cpu()
        image = (image.float() if image.dtype in (torch.bfloat16, torch.float16) else image).numpy()
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[0] == 1 and not stack:
        array = array[0]
    if array.ndim != (3 if stack else 2):
        wanted = "(D, H, W)" if stack else "(H, W), or several to predict_batch"
        raise UserError(f"{name} has the shape {array.shape}: give {wanted}; grey values, as colours are not read")
    return array.astype(np.uint8) if array.dtype == bool else array
