"""`vlsenet prompts`: images -> a sentence on the pores of each."""

from __future__ import annotations

import argparse
import sys

from pipeline.cli.parser import Command
from pipeline.cli.paths import existing_folder
from pipeline.errors import MISTAKE, SUCCESS


def run(options: argparse.Namespace) -> int:
    """Write the prompts; returns the exit status.

    Raises:
        UserError: a problem with the options or the data set, or the language model does not answer.
    """
    folder = existing_folder(options.dataset_dir)
    from pipeline.text.prompt_files import build_writer, write_prompts

    done = write_prompts(
        folder,
        build_writer(options.writer),
        info_bar=getattr(options, "info_bar", "auto"),
        overwrite=options.overwrite,
        dry_run=options.dry_run,
    )
    if options.dry_run:
        for name, prompt in done.prompts.items():
            print(f"{name}: {prompt}")
    for problem in done.problems:
        print(f"skipped: {problem}", file=sys.stderr)
    verb = "would be written" if options.dry_run else "written"
    different = len(set(done.prompts.values()))
    print(
        f"{len(done.prompts)} prompts {verb} ({different} different), {len(done.kept)} kept, "
        f"{len(done.problems)} images skipped"
    )
    return MISTAKE if done.problems else SUCCESS


COMMAND = Command(
    "write a sentence on the pores of each image, for the text prior",
    """\
Writes text/NAME.txt for each image that has none, from the image's grey-level statistics: by fixed rules, offline, or
by a language model behind an OpenAI-compatible endpoint, which gets the statistics and never the image or its name. If
the command is stopped, or the endpoint does not answer, the same command resumes later. An image that can't be used
does not affect the others (exit status 1).

examples:
  vlsenet prompts my_rock --dry_run         # only shows the sentences
  vlsenet prompts my_rock

  VLSENET_LLM_URL=http://localhost:8000/v1 VLSENET_LLM_MODEL=NAME VLSENET_LLM_KEY=KEY \\
      vlsenet prompts my_rock --writer language_model
""",
    run,
    options="prompts",
    in_front="dataset_dir",
)
