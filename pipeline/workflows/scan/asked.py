"""Which of a model's phases a scan is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import UserError
from pipeline.phases import Phase
from pipeline.wording import nearest
from pipeline.workflows.model_file import TrainedModel


def chosen_phases(model: TrainedModel, names: str | Sequence[str] | None = None) -> tuple[Phase, ...]:
    """The phases of a model that are asked for, in the model's order.

    Args:
        model: that is asked.
        names: of phases, between commas or as a list; None: all of the model's.

    Raises:
        UserError: the model does not know one of them, or none is given.
    """
    if names is None:
        return model.phases
    known = [phase.name for phase in model.phases]
    if not isinstance(names, (str, Sequence)) or not names:
        raise UserError(f"--phases {names!r}: give names, such as {known[0]!r}; {model.path} knows {', '.join(known)}")
    asked = [str(name).strip() for name in (names.split(",") if isinstance(names, str) else names)]
    for name in asked:
        if name not in known:
            meant = nearest(name, known)
            hint = f"; did you mean {meant}?" if meant else "."
            raise UserError(f"--phases {name}: {model.path} knows {', '.join(known)}{hint} {_way_to_others(model)}")
    return tuple(phase for phase in model.phases if phase.name in asked)


def _way_to_others(model: TrainedModel) -> str:
    """How a phase that a training did not name can be asked for."""
    if model.reads_prompt and model.text.provenance.get("source") == "clip":
        first = model.phases[0].name
        return f"Any phrase can be asked for in place of one of them: --phases '{first}' --prompt PHRASE"
    return "A model that was trained with --text_source clip takes any phrase by --prompt"
