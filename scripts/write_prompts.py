"""Write a sentence on the pores of each image of a data set into text/, from the image's grey-level statistics."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pipeline.cli.console import WRONG_USAGE, run_command

EXAMPLES = r"""
examples:
  # by rule, offline; images that have a text keep it
  python scripts/write_prompts.py --dataset_dir DIR

  # only show the sentences
  python scripts/write_prompts.py --dataset_dir DIR --dry_run

  # by a language model behind an OpenAI-compatible endpoint; it gets the statistics, never the image or its name
  VLSENET_LLM_URL=http://localhost:8000/v1 VLSENET_LLM_MODEL=NAME VLSENET_LLM_KEY=KEY \
      python scripts/write_prompts.py --dataset_dir DIR --writer language_model

exit status: 0 when each image has a text, 1 when an image can't be used or the language model's answer to it (the
others get theirs all the same), 2 for a mistake in the options or the data, or a language model that does not answer
(the same command goes on later)
"""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--dataset_dir", required=True, metavar="DIR", help="folder with images/ and labels/")
    add("--writer", choices=("rules", "language_model"), default="rules", help="who writes (default: rules)")
    add("--overwrite", action="store_true", help="also replace the texts that are there")
    add("--dry_run", action="store_true", help="print the sentences and write nothing")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    options = parse(arguments)
    again = "interrupted; the same command goes on"
    return run_command(lambda: run(options), mistake_status=WRONG_USAGE, interrupted=again)


def run(options: argparse.Namespace) -> int:
    """Write the prompts; returns the exit status.

    Raises:
        UserError: The options or the data set don't allow it, or the language model does not answer.
    """
    from pipeline.text.prompt_files import build_writer, write_prompts

    done = write_prompts(
        options.dataset_dir, build_writer(options.writer), overwrite=options.overwrite, dry_run=options.dry_run
    )
    if options.dry_run:
        for name, prompt in done.prompts.items():
            print(f"{name}: {prompt}")
    for problem in done.problems:
        print(f"left out: {problem}", file=sys.stderr)
    verb = "would be written" if options.dry_run else "written"
    different = len(set(done.prompts.values()))
    print(
        f"{len(done.prompts)} prompts {verb} ({different} different), {len(done.kept)} kept, "
        f"{len(done.problems)} images left out"
    )
    return 1 if done.problems else 0


if __name__ == "__main__":
    sys.exit(main())
