"""`vlsenet paths`: where the files lie that came with the package."""

from __future__ import annotations

import argparse

from pipeline.bundle_files import config_folder, data_file, default_model
from pipeline.cli.parser import Command
from pipeline.errors import SUCCESS


def run(options: argparse.Namespace) -> int:
    """Print the paths; returns the exit status."""
    configs = config_folder()
    found = {
        "configs": configs,
        "model": default_model(),
        "card": data_file("bundle/models/README.md"),
        "bundle": configs.parent,
        "ablation": data_file("scripts/ablation.yaml"),
        "licence": data_file("bundle/LICENSE"),
    }
    if options.which is not None:
        print(found[options.which] or "")
        return SUCCESS
    for name, path in found.items():
        print(f"{name:9}{path or 'not installed'}")
    return SUCCESS


COMMAND = Command(
    "where the configs, the default model and the example plan lie",
    """\
Of each a line: the folder of the configs, the default model and its card, the MONAI bundle, the plan of an ablation.

examples:
  vlsenet paths

  # to change an ablation's plan
  cp "$(vlsenet paths --which ablation)" plan.yaml
""",
    run,
    options="paths",
)
