"""A model that segments arrays and files."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from pipeline.api.given import image_given, images_given, path_given
from pipeline.api.python_wording import said_once, says_in_python
from pipeline.api.scan_options import check_argument, scan_settings
from pipeline.api.segmentation_result import Segmentation
from pipeline.data.pairs import sentence_of
from pipeline.errors import SomeFailed, UserError, mistake_behind
from pipeline.images import scans_in
from pipeline.images.formats import is_zarr
from pipeline.images.microscope.scale_bar import SCALE_BAR
from pipeline.images.volume import ScanVolume, open_volume, volume_of_array
from pipeline.progress_bars import bars_shown
from pipeline.text import clean_prompt
from pipeline.workflows.model_file import TrainedModel
from pipeline.workflows.scan import ScanSegmentation, ScanSettings
from pipeline.workflows.scan.finished import check_folder, without_results
from pipeline.workflows.scan.first_look import log_looks
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
        settings = self._settings({"info_bar": "keep", **options}, stack=stack, progress=progress)
        with bars_shown(progress):
            return self._one(_volume(image_given(image, "image", stack), "image", settings), settings)

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
            UserError: as `predict`; where an image can't be segmented, after all others were, which its `results` has.
        """
        settings = self._settings({"info_bar": "keep", **options}, progress=progress)
        arrays = {f"image {number}": one for number, one in enumerate(images_given(images))}
        found = self._each(
            arrays, lambda name: self._in_memory(_volume(arrays[name], name, settings), settings), progress
        )
        return list(found.values())

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
        name = path_given(path, "segment", "give arrays to predict")
        of_segment = {"stack": stack, "page": page, "report": report, "formats": formats}
        settings = self._settings(options, of_segment, stack=stack, progress=progress, overwrite=overwrite)
        if not stack and Path(name).is_dir() and not is_zarr(Path(name)):
            raise UserError(f"{name}: it is a folder; give stack=True if it is one volume, or use segment_folder")
        if output_dir is None:
            if settings.format_names:
                raise UserError(f"formats={reprlib.repr(formats)}: these are files; give output_dir, too")
            asked = self._asked(name, settings)
            with bars_shown(progress):
                return self._one(self._opened(name, asked), asked)
        folder = Path(path_given(output_dir, "output_dir", "name a folder, or leave it out to write nothing"))
        check_argument("output_dir", str(folder))
        asked = self._asked(name, settings)
        check_folder(name, folder, stack)
        with bars_shown(progress):
            ScanSegmentation(name, folder, self._trained, asked, overwrite=overwrite, say=lambda line: None).run()
            scan, look = segmented_in_folder(folder, self._opened(name, asked), self._trained, asked)
        return Segmentation(scan, look, self._trained, asked, folder)

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
            UserError: there is no image, or one can't be segmented, which is raised after all others were; its
                `results` has those.
        """
        name = path_given(folder, "segment_folder", "give arrays to predict_batch")
        settings = self._settings(dict(options), progress=progress)
        scans = {scan.name: str(scan) for scan in without_results(scans_in(name))}
        if not scans:
            raise UserError(f"{name}: no such folder of scans; check the path, or give a single scan to segment")

        def segmented(scan: str) -> Segmentation:
            asked = self._asked(scans[scan], settings)
            return self._in_memory(self._opened(scans[scan], asked), asked)

        return self._each(scans, segmented, progress)

    def _each(
        self, names: Collection[str], segmented: Callable[[str], Segmentation], progress: bool
    ) -> dict[str, Segmentation]:
        """Segment each of several; one that fails does not stop the others.

        Raises:
            SomeFailed: some failed; it has the results of the others.
        """
        found, problems = {}, []
        with bars_shown(progress), said_once(names):
            for name in names:
                try:
                    found[name] = segmented(name)
                except Exception as error:
                    if (mistake := mistake_behind(error)) is None:
                        raise
                    problems.append(str(mistake))
        log_looks({name: one._look for name, one in found.items()})
        if problems:
            raise SomeFailed(f"{len(problems)} of {len(names)} were not segmented:", problems, found)
        return found

    def _settings(
        self, options: Mapping[str, Any], of_segment: Mapping[str, Any] = MappingProxyType({}), **switches: bool
    ) -> ScanSettings:
        for name, switch in switches.items():
            if not isinstance(switch, bool):
                raise UserError(f"{name}={reprlib.repr(switch)}: must be True or False")
        settings = scan_settings(self._trained, options, of_segment)
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

    def _one(self, volume: ScanVolume, settings: ScanSettings) -> Segmentation:
        found = self._in_memory(volume, settings)
        log_looks({volume.path: found._look})
        return found

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
    volume = volume_of_array(pixels, name, settings.info_bar, settings.invert)
    if settings.pixel_size_nm == SCALE_BAR:
        take_scale_bar(volume)
    return volume
