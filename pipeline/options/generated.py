"""Writes what follows from the declarations: the top of each config, and the tables of options in the guides."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

import yaml

from pipeline.bundle_files import config_folder
from pipeline.options import BUNDLE, options_of
from pipeline.options.configs import OF_CONFIGS
from pipeline.options.kinds import Choice, Flag, Group
from pipeline.options.option import Option

#: in a config, what stands between this line and the next that begins with `# ----`
_TOP = "# ---- what you may change (declared in pipeline/options; written by `make generated`) "
_TOP_OF_CONFIG = re.compile(rf"(?<={re.escape(_TOP)})(-+\n).*?(?=\n# ----)", re.DOTALL)
#: in an entry of a config, what stands between this line and the entry's end
_ARGUMENTS = "  # options (declared and written in the same way):\n"
_ARGUMENTS_OF_ENTRY = re.compile(rf"(^(\w+):.*\n(?:  .*\n)*?{re.escape(_ARGUMENTS)})(?:  .*\n)*", re.MULTILINE)
#: in a guide, what stands between these
_TABLE = re.compile(r"(?<=<!-- options of )([\w -]+?)( -->\n).*?(?=<!-- end of options -->)", re.DOTALL)
#: in a config that stands on its own, what follows this line is that of common.yaml
_COPIED = "# ---- the same as in common.yaml (written by `make generated`) "
#: configs that programs read alone, without common.yaml
_ALONE = ("inference",)
_WIDTH, _COMMENTS_AT = 120, 27


def config_text(command: str, text: str) -> str:
    """A config with its options as they are declared: those at its top, and those that stand in an entry.

    Args:
        command: name of the config; `common` for the shared one.
        text: the file's content.
    """
    options = [option for option in OF_CONFIGS if (option.shared if command == "common" else _is_own(option, command))]

    def lines(entry: str, indent: str) -> str:
        return "".join(f"{line}\n" for option in options if option.entry == entry for line in _entry(option, indent))

    text = _TOP_OF_CONFIG.sub(lambda found: f"{found[1]}{lines('', '')}", text)
    return _ARGUMENTS_OF_ENTRY.sub(lambda found: f"{found[1]}{lines(found[2], '  ')}", text)


def with_common(text: str, common: str) -> str:
    """A config that stands on its own: with a copy of the shared one at its end.

    Args:
        text: the config.
        common: content of common.yaml.
    """
    own, mark, copy = text.partition(_COPIED)
    shared = common[common.index("imports:\n") :]
    shared = shared.replace(_TOP, "# ---- options of all commands ").replace(_ARGUMENTS, "  # options:\n")
    return f"{own}{mark}{copy.partition(chr(10))[0]}\n{shared}"


def _is_own(option: Option, command: str) -> bool:
    shared = next((other for other in OF_CONFIGS if other.shared and other.name == option.name), None)
    return command in option.commands and not option.shared and (shared is None or command not in shared.commands)


def _entry(option: Option, indent: str = "") -> Iterator[str]:
    """The lines of an option: name, default, and what it does."""
    group = isinstance(option.kind, Group)
    value = "" if group else " " + yaml.safe_dump(option.default, default_flow_style=True, width=10**6).split("\n")[0]
    said = option.help
    if isinstance(option.kind, Choice) and not all(name in said for name in option.kind.names):
        said += f": {', '.join(option.kind.names)}"
    said += f" ({option.unit})" if option.unit and not group else ""
    if option.otherwise and not group and (option.default is None or str(option.default).startswith("$")):
        said += f"; {'null' if option.default is None else 'default'}: {option.otherwise}"
    if option.required:
        said = f"{said}; needed" if said else "needed"
    start = f"{indent}{option.name}:{value}".ljust(_COMMENTS_AT)
    start += "" if start.endswith(" ") else "    "
    lines = textwrap.wrap(
        f"# {said}" if said else "", _WIDTH, initial_indent=start, subsequent_indent=f"{'':{_COMMENTS_AT}}# "
    )
    yield from lines or [start.rstrip()]
    if isinstance(option.kind, Group):
        for member in option.kind.members:
            yield from _entry(member, indent + "  ")


def guide_text(text: str) -> str:
    """A guide with its tables as the options are declared."""
    return _TABLE.sub(lambda found: f"{found[1]}{found[2]}{_table(found[1])}", text)


def _table(command: str) -> str:
    rows = ["| option | meaning |", "|---|---|"]
    for option in options_of(command).values():
        by_set = "" if option.has_flag(command) or command == "inference" else " (set)"
        said = option.described(command, "`") + ("" if not option.more else f". {option.more}")
        rows.append(f"| `--{_usage(option)}`{by_set} | {said.replace('|', chr(92) + '|')} |")
    return "\n".join(rows) + "\n"


def _usage(option: Option) -> str:
    """An option with what stands after it."""
    kind = option.kind
    if isinstance(kind, Group):
        return f"{option.name}::{kind.example}"
    if isinstance(kind, Flag):
        return f"{option.name} false" if option.default else option.name
    value = "|".join(kind.names) if isinstance(kind, Choice) else option.placeholder
    return f"{option.name} {value}".replace("|", "\\|")


def generated_files() -> dict[Path, str]:
    """All files that hold something generated, with what they should be."""
    configs, guides = config_folder(), config_folder().parents[1] / "docs" / "guide"
    files = {configs / f"{name}.yaml": name for name in ("common", *BUNDLE)}
    content = {file: config_text(name, file.read_text(encoding="utf-8")) for file, name in files.items()}
    for name in _ALONE:
        content[configs / f"{name}.yaml"] = with_common(
            content[configs / f"{name}.yaml"], content[configs / "common.yaml"]
        )
    return content | {file: guide_text(file.read_text(encoding="utf-8")) for file in sorted(guides.glob("*.md"))}


def main() -> None:
    """Write them."""
    for file, text in generated_files().items():
        if text != file.read_text(encoding="utf-8"):
            file.write_text(text, encoding="utf-8")
            print(f"wrote {file}")


if __name__ == "__main__":
    main()
