"""Other forms of a finished segmentation, made from its folder without segmenting again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from pipeline.csv_tables import write_csv
from pipeline.engine import Journal, export_nifti, export_tiff, request_hash, write_label_tiff
from pipeline.errors import UserError
from pipeline.files import atomic_path, sha256_of
from pipeline.measure.outline_files import write_geojson, write_rois
from pipeline.measure.pores_2d import StoredSegmentation
from pipeline.measure.pores_2d.numbered import NumberedSlices, painted
from pipeline.measure.pores_2d.outlines import Outline, outlines_of
from pipeline.measure.table_files import read_table
from pipeline.report import Measures
from pipeline.report.figure_data import figure_tables
from pipeline.report.measures import NO_OBJECTS
from pipeline.report.terms import Terms
from pipeline.workflows.scan.reopened import ReopenedScan, reopened
from pipeline.workflows.scan.results import FIGURES, FORMATS, FORMATS_OF_PHASES, JOURNAL
from pipeline.workflows.scan.segmented import SegmentedPhase

logger = logging.getLogger("vlsenet")

#: most objects whose numbers every program reads: Fiji has no whole numbers of 32 bits
_LARGEST_SMALL = np.iinfo(np.uint16).max


def convert(
    result: str | Path,
    formats: Sequence[str],
    output_dir: str | Path | None = None,
    most_outlines: int = 20000,
    tolerance_px: float = 0.5,
) -> list[Path]:
    """Write other forms of a finished segmentation.

    Args:
        result: folder that `vlsenet segment` wrote.
        formats: ``tiff`` and ``nifti``: mask or label image; ``instances``: label images of the numbers in the tables
            of objects; ``geojson`` and ``roi``: outlines; ``csv``: the data of the report's figures.
        output_dir: folder of the files; None: that of the results.
        most_outlines: of each phase; the largest objects are outlined.
        tolerance_px: how far an outline may leave the true one (px).

    Returns:
        The files that were written.

    Raises:
        UserError: there is no finished segmentation, or another process is at work on it; a mask would be replaced that
            was corrected; the disk is full or refuses.
    """
    with Journal.reading(Path(result) / JOURNAL):
        scan = reopened(Path(result))
        folder = scan.folder if output_dir is None else Path(output_dir)
        return _written(scan, folder, formats, most_outlines, tolerance_px)


def _written(
    scan: ReopenedScan, folder: Path, formats: Sequence[str], most_outlines: int, tolerance_px: float
) -> list[Path]:
    written = []
    names = FORMATS_OF_PHASES if scan.store.labelled else FORMATS
    if "tiff" in formats:
        with _unless_corrected(folder / names["tiff"]) as path:
            export_tiff(scan.store, path, **scan.sizes, identity=request_hash(scan.request))
        written.append(folder / names["tiff"])
    if "nifti" in formats:
        with _unless_corrected(folder / names["nifti"]) as path:
            export_nifti(scan.store, path, **scan.sizes)
        written.append(folder / names["nifti"])
    for phase in scan.phases:
        if "csv" in formats:
            written += _figures(scan, phase, folder)
        if not {"instances", "geojson", "roi"} & set(formats):
            continue
        if (note := _note(scan, phase)) is not None:
            logger.warning("%s: %s", phase.name, note)
            continue
        written += _objects(scan, phase, folder, formats, most_outlines, tolerance_px)
    return written


@contextmanager
def _unless_corrected(path: Path) -> Iterator[Path]:
    """Lend a path for a mask; it becomes `path`, unless another one is there.

    Raises:
        UserError: the mask there has other bytes than are written now: somebody has corrected it.
    """
    with atomic_path(path) as partial:
        try:
            yield partial
        except UserError as error:  # of the disk, with a name that says nothing to a user
            raise UserError(str(error).replace(str(partial), str(path))) from error
        if path.exists() and sha256_of(path) != sha256_of(partial):
            raise UserError(
                f"{path} is not as it was written, and may have been corrected: it is not replaced; give "
                "--output_dir, or move it away (vlsenet import-labels takes corrections into a data set)"
            )


def _note(scan: ReopenedScan, phase: SegmentedPhase) -> str | None:
    """Why the objects of a phase are not listed."""
    measured = (scan.manifest.get("phases") or {}).get(phase.name) or {}
    return measured.get("note")


def _numbered(scan: ReopenedScan, phase: SegmentedPhase) -> NumberedSlices:
    return NumberedSlices(StoredSegmentation(phase.store, scan.rows), scan.min_area_px)


def _objects(
    scan: ReopenedScan,
    phase: SegmentedPhase,
    folder: Path,
    formats: Sequence[str],
    most_outlines: int,
    tolerance_px: float,
) -> Iterator[Path]:
    areas = _areas(scan, phase)
    if "instances" in formats:
        path = folder / phase.files.numbered
        dtype = np.uint16 if len(areas) <= _LARGEST_SMALL else np.uint32
        name = f"{phase.name} numbered"
        identity = request_hash(scan.request)
        bands = _painted(scan, phase)
        write_label_tiff(path, scan.store.plan, dtype, bands, name=name, **scan.sizes, identity=identity)
        yield path
    chosen = _largest(areas, most_outlines)
    if len(chosen) < len(areas) and {"geojson", "roi"} & set(formats):
        logger.warning(
            "%s: the %d largest of %d objects are outlined; --most_outlines gives more",
            phase.name,
            *map(len, (chosen, areas)),
        )
    for format_, path, write in (
        ("geojson", folder / phase.files.geojson, write_geojson),
        ("roi", folder / phase.files.rois, write_rois),
    ):
        if format_ in formats:
            outlines = _outlines(scan, phase, set(chosen.tolist()), tolerance_px)
            write(path, outlines, phase.name, phase.colour, scan.is_stack)
            yield path


def _areas(scan: ReopenedScan, phase: SegmentedPhase) -> np.ndarray:
    """Pixels of each object, in the order of the numbers.

    Raises:
        UserError: the table in the folder is of other objects.
    """
    numbered = _numbered(scan, phase)
    areas = [np.bincount(runs.owner, runs.end - runs.begin, numbered.count + 1) for runs in numbered]
    longest = max(map(len, areas))
    together = np.sum([np.pad(one, (0, longest - len(one))) for one in areas], axis=0)[1:].astype(np.int64)
    table = scan.folder / f"{phase.files.table}.parquet"
    if table.is_file():
        listed = read_table(table)["area_px"].to_numpy(np.int64)
        if not np.array_equal(listed, together):
            raise UserError(
                f"{table} lists other objects than the segmentation holds. Was that corrected? vlsenet import-labels "
                "takes corrections into a data set; vlsenet segment --overwrite writes both anew, without them"
            )
    return together


def _largest(areas: np.ndarray, most: int) -> np.ndarray:
    """Numbers of the largest objects, ascending; of equal ones the first."""
    return np.sort(np.argsort(-areas, kind="stable")[:most]) + 1


def _painted(scan: ReopenedScan, phase: SegmentedPhase) -> Iterator[np.ndarray]:
    """The label image in bands, a row of chunks each; rows that are not imaged hold no pore."""
    region, side = scan.store.plan.region, scan.store.plan.chunk
    imaged = scan.rows.within(region)
    for runs in _numbered(scan, phase):
        for top in range(0, region.height, side):
            stop = min(top + side, region.height)
            first, last = (min(max(row + region.y - imaged.y, 0), imaged.height) for row in (top, stop))
            band = painted(runs, slice(first, last), region.width)
            above = min(max(imaged.y - region.y - top, 0), stop - top)
            yield np.pad(band, ((above, stop - top - above - len(band)), (0, 0)))


def _outlines(scan: ReopenedScan, phase: SegmentedPhase, chosen: set[int], tolerance_px: float) -> Iterator[Outline]:
    numbered = _numbered(scan, phase)
    origin = StoredSegmentation(phase.store, scan.rows).origin
    left = len(chosen)
    for slice_, runs in enumerate(numbered):
        for outline in outlines_of(runs, slice_, scan.store.plan.shape[2], origin, chosen, tolerance_px):
            left -= 1
            yield outline
    if left:
        logger.warning("%s: %d objects are too large to be outlined; they are in the label image", phase.name, left)


def _figures(scan: ReopenedScan, phase: SegmentedPhase, folder: Path) -> Iterator[Path]:
    table = scan.folder / f"{phase.files.table}.parquet"
    bodies = scan.folder / f"{phase.files.bodies}.parquet"
    measures = Measures(
        store=phase.store,
        blocks=phase.blocks,
        porosity=phase.porosity,
        table=read_table(table) if table.is_file() else NO_OBJECTS,
        manifest=scan.manifest,
        pixel_size_nm=scan.sizes["pixel_size_nm"],
        min_area_px=scan.min_area_px,
        shown_slice=scan.store.plan.depth // 2,
        terms=Terms(phase.name, scan.is_stack, phase.files.table),
        colour=phase.colour,
        note=_note(scan, phase),
        imaged_height=scan.rows.within(scan.store.plan.region).height,
        bodies=read_table(bodies) if scan.is_stack and bodies.is_file() else None,
    )
    for name, data in figure_tables(measures).items():
        path = folder / FIGURES / f"{phase.files.figures}{name}.csv"
        write_csv(path, data, "%.7g")
        yield path
