"""A training that the dock has started: its progress, its end, and whether its model is taken over."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from qtpy.QtCore import QTimer

from pipeline.annotations.session import LabelSession
from pipeline.bundle_files import default_model
from pipeline.errors import UserError
from pipeline.label.dock_form import DockForm
from pipeline.label.jobs import Jobs
from pipeline.workflows.label_loop.background_training import BackgroundTraining, Verdict, take_over

#: between two looks at a training (ms)
_WATCH = 500
_STOPPING = "stopping, after the step that it is at ..."
#: of the bar in a training's log: its percent, the time that is left, and the loss
_BAR = re.compile(r"training:\s*(\d+)%.*<([\d:]+|\?),.*loss=([\d.]+)")


class TrainingWatch:
    """Shows a training in the dock, and judges its model.

    Args:
        form: shows progress, and says how it went.
        jobs: runs the comparison with the model before.
        taken_over: called when the data set has a better model.

    Attributes:
        training: the last one; None before any.
    """

    def __init__(self, form: DockForm, jobs: Jobs, taken_over: Callable[[], None]) -> None:
        self._form, self._jobs, self._taken_over = form, jobs, taken_over
        self.training: BackgroundTraining | None = None
        self._session: LabelSession | None = None
        self._is_stopping = False
        self._timer = QTimer(form)
        self._timer.timeout.connect(self._look)

    def start(self, session: LabelSession) -> None:
        """Train on all strokes of a session, in a process of its own.

        Raises:
            UserError: one is running, or too little was painted.
        """
        if self.training is not None and self.training.is_running:
            raise UserError("a training is running; stop it first")
        self._session, self._is_stopping = session, False
        self.training = BackgroundTraining(session, self._form.training_settings())
        start = str(self.training.start or "scratch, as no model knows these phases")
        if self.training.start == default_model():
            start = "the default model"
        left_out = ", ".join(self.training.left_out)
        without = f" (without {left_out}, where nothing was painted)" if left_out else ""
        self._form.tell(f"training from {start}{without}; you can go on painting")
        self._form.progress.setRange(0, 0)
        self._form.training_state.setText("starting ...")
        self._timer.start(_WATCH)

    def stop(self) -> None:
        """Stop the training; its best model so far may still be taken over."""
        if self.training is not None and self.training.is_running:
            self._is_stopping = True
            self.training.stop()
            self._form.training_state.setText(_STOPPING)

    def close(self) -> None:
        """Stop the training, and look no more."""
        self.stop()
        self._timer.stop()

    def _look(self) -> None:
        training, form = self.training, self._form
        if training is None:
            return
        percent, text = progress_of(training.lines)
        if percent is not None:
            form.progress.setRange(0, 100)
            form.progress.setValue(percent)
        form.training_state.setText(_STOPPING if self._is_stopping else text)
        if training.is_running:
            return
        self._timer.stop()
        form.progress.setRange(0, 1)
        form.progress.setValue(0)
        form.training_state.clear()
        if training.problem is not None:
            form.failed(UserError(training.problem))
            return
        form.told.setText("comparing with the model before, on held-out strokes ...")
        self._jobs.start(lambda: training.verdict(self._jobs.check), self.judged)

    def judged(self, verdict: Verdict) -> None:
        """Take a model over that is not worse; either way, say so."""
        assert self._session is not None
        if verdict.is_better:
            path = take_over(self._session.root, verdict)
            self._form.tell(f"{verdict}. The new model is taken over: {path}")
            self._taken_over()
        else:
            self._form.tell(f"{verdict}. The model before stays; the new one is {verdict.model}")


def progress_of(lines: Sequence[str]) -> tuple[int | None, str]:
    """How far a training is, in percent, and in words, from its log; None before its first step."""
    bar = next((found for line in reversed(lines) if (found := _BAR.search(line))), None)
    epoch = next((line for line in reversed(lines) if line.startswith("epoch ")), "")
    if bar is None:
        return None, epoch or "starting ..."
    return int(bar[1]), "\n".join(filter(None, (f"loss {bar[3]}, {bar[2]} left", epoch)))
