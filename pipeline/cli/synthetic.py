"""`vlsenet synthetic`: a labelled data set of synthetic SEM images, to try the commands on."""

from __future__ import annotations

import argparse

from pipeline.cli.parser import Command
from pipeline.errors import SUCCESS
from pipeline.options import options_of


def run(options: argparse.Namespace) -> int:
    """Write the images; returns the exit status.

    Raises:
        UserError: a value or the folder does not allow it.
    """
    for name, option in options_of("synthetic").items():
        option.check(getattr(options, name))
    from tqdm import tqdm

    from pipeline.synthetic import DatasetSettings, SceneSettings, write_dataset

    settings = DatasetSettings(
        porosity=_range(options.porosity),
        anisotropy=_range(options.anisotropy),
        orientation_deg=_range(options.orientation),
        scene=SceneSettings(info_bar=options.info_bar, pixel_size_nm=options.pixel_size_nm),
        varied=options.varied,
    )
    # the delay keeps an empty bar from standing above an error
    with tqdm(total=options.count, unit="image", desc="synthetic SEM", delay=0.5) as bar:
        write_dataset(
            options.output_dir,
            options.count,
            (int(options.size[0]), int(options.size[-1])),
            seed=options.seed,
            settings=settings,
            val=options.val,
            test=options.test,
            text=options.text,
            phases=options.phases,
            overwrite=options.overwrite,
            on_sample=lambda name: bar.update(),
        )
    return SUCCESS


def _range(values: tuple[float, ...]) -> tuple[float, float]:
    return values[0], values[-1]


COMMAND = Command(
    "write synthetic SEM images of rock with exact masks, to try the commands on",
    """\
Porosity, anisotropy and orientation take one number (the same for every image) or two (each image draws its own
value between them).

examples:
  # 40 images of 256 x 256 pixels, 8 of them for validation and 8 for testing
  vlsenet synthetic my_synthetic

  # organic matter and pyrite beside the pores, each with a name and a label value of its own
  vlsenet synthetic my_synthetic --phases

  # every look that the generator knows, to train for rocks and microscopes that are not at hand
  vlsenet synthetic my_synthetic --count 60 --size 512,512 --varied

  # 20 large images, thin pores in one direction
  vlsenet synthetic my_synthetic --count 20 --size 1024,1024 --anisotropy 0.9 --orientation 30
""",
    run,
    options="synthetic",
    in_front="output_dir",
)
