"""From a checked data set to the samples that transforms take, and to their text features."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.data import DatasetIndex, Intensity, Sample, index_dataset
from pipeline.text import (
    DEFAULT_PROMPT,
    EMPTY_PROMPT,
    TextSource,
    TextStore,
    build_text_source,
    build_text_store,
    clean_prompt,
)
from pipeline.text.clip_source import ClipSource
from pipeline.wording import some_of

logger = logging.getLogger("vlsenet")


def open_dataset(
    dataset_dir: str,
    pore_label: int | str | None = None,
    group_pattern: str | None = None,
    skip_bad: bool = False,
    divide: bool = True,
    split_csv: str | None = None,
    usual_pore_label: int | None = None,
    info_bar: str | int = "auto",
) -> DatasetIndex:
    """Check and index a data set, and log what a user should know about it: splits, notes, skipped files.

    The arguments are those of :func:`pipeline.data.index_dataset`.

    Raises:
        UserError: all problems, one per line.
    """
    # the command line gives a folder or a pattern of digits as a number
    pattern = None if group_pattern is None else str(group_pattern)
    index = index_dataset(
        str(dataset_dir),
        pore_label=pore_label,
        group_pattern=pattern,
        skip_bad=skip_bad,
        divide=divide,
        split_csv=None if split_csv is None else str(split_csv),
        usual_pore_label=usual_pore_label,
        info_bar=info_bar,
    )
    if pore_label is None and usual_pore_label is not None:
        reason = "as in the training" if index.pore_label == usual_pore_label else "the larger of two values"
        logger.info("label value %s is pore (%s); --pore_label K changes it", index.pore_label, reason)
    for split, count in sorted(Counter(sample.split for sample in index.samples).items()):
        sources = sorted({sample.source for sample in index.samples if sample.split == split})
        logger.info("%s: %d images from %d sources (%s)", split, count, len(sources), some_of(sources))
    for note in index.notes:
        logger.warning("%s", note)
    for problem in index.skipped:
        logger.warning("skipped: %s", problem)
    return index


def sample_items(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """Samples as the dictionaries that MONAI's transforms take: image, label, name, source, prompt, intensity and
    rows.

    The intensity is that of the sample's source; the rows are those above an info bar.
    """
    items = [
        {
            "image": str(sample.image),
            "label": str(sample.label),
            "name": sample.name,
            "source": sample.source,
            "prompt": prompt_of(sample),
            "intensity": sample.intensity,
            "rows": sample.shape[0],
        }
        for sample in samples
    ]
    return pool_intensities(items)


def pool_intensities(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items with the intensity of their source: of all images that were cut from the same micrograph."""
    by_source: dict[str, list[Intensity]] = {}
    for item in items:
        by_source.setdefault(item["source"], []).append(item["intensity"])
    pooled = {source: Intensity.pooled(parts) for source, parts in by_source.items()}
    return [{**item, "intensity": pooled[item["source"]]} for item in items]


def prompt_of(sample: Sample) -> str:
    """The prompt that came with an image, in one line, or the generic one."""
    return clean_prompt(sample.prompt) if sample.prompt else DEFAULT_PROMPT


def encode_prompts(index: DatasetIndex, encoder: TextSource, network_reads: bool = True) -> TextStore:
    """Encode every prompt of a data set once, and those that an audit compares them with: generic and empty.

    A network that reads no text should not need CLIP's weights: zeros replace its features.

    Raises:
        UserError: the encoder's weights can't be reached.
    """
    prompts = set(map(prompt_of, index.samples))
    if not network_reads and isinstance(encoder, ClipSource):
        logger.info("text prior: none; CLIP is not loaded, since this network reads no text")
        encoder = build_text_source("none")
    store = build_text_store(encoder, [DEFAULT_PROMPT, EMPTY_PROMPT, *sorted(prompts)])
    if not network_reads:
        return store
    source = store.provenance["source"]
    logger.info("text prior: %s, %d prompts", source, len(prompts))
    if not store.reads_prompts and prompts != {DEFAULT_PROMPT}:
        logger.warning(
            "text_source %s reads no prompt: the texts of %s have no effect; --text_source clip reads them",
            source,
            index.root / "text",
        )
    return store
