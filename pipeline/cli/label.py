"""`vlsenet label`: a window in which strokes become a model."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from pipeline.cli.console import own_messages
from pipeline.cli.parser import Command
from pipeline.cli.paths import existing_input
from pipeline.errors import SUCCESS, UserError

#: of which one is set where windows can be shown
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")


def run(options: argparse.Namespace) -> int:
    """Open the window; returns the exit status when it is closed.

    Raises:
        UserError: napari is not installed, there is no screen, or the folder can't be labelled.
    """
    path = Path(existing_input(options.input))
    if sys.platform.startswith("linux") and not any(
        map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    ):
        raise UserError(
            "vlsenet label opens a window, and there is no screen; without one, use vlsenet suggest, label in another "
            "program, and vlsenet import-labels"
        )
    from pipeline.label.window import open_window

    with own_messages():
        open_window(path)
    return SUCCESS


COMMAND = Command(
    "paint a few strokes on images, and train on them (a window)",
    """\
Opens napari on a folder of images, a data set or a scan of any size. Paint a few strokes in each phase and in the rest,
look at the preview, train, correct where it is wrong, and go on to where the model is unsure. Strokes are saved within
seconds, as labels of the data set. Needs pip install 'vlsenet[label]'.

examples:
  # a folder of images without any masks: its data set becomes my_images_labelled
  vlsenet label my_images

  # a data set, with the labels that it has
  vlsenet label my_rock

  # one scan of any size
  vlsenet label scan.tif
""",
    run,
    options="label",
    arguments=(("input", "DATASET|DIR|FILE", "a data set, a folder of images, or a scan"),),
)
