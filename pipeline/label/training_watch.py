"""A training that the dock has started: its progress, its end, and whether its model is taken over."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QTimer

from pipeline.annotations.session import LabelSession
from pipeline.errors import UserError
from pipeline.label.dock_form import DockForm
from pipeline.label.jobs import Jobs
from pipeline.workflows.label_loop.background_training import BackgroundTraining, Verdict, take_over

#: between two looks at a training (ms)
_WATCH = 500


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
        self._timer = QTimer(form)
        self._timer.timeout.connect(self._look)

    def start(self, session: LabelSession) -> None:
        """Train on all strokes of a session, in a process of its own.

        Raises:
            UserError: one is running, or too little was painted.
        """
        if self.training is not None and self.training.is_running:
            raise UserError("a training is running; stop it first")
        self._session = session
        self.training = BackgroundTraining(session, self._form.training_settings())
        start = "the model before" if self.training.start else "scratch, as no model knows these phases"
        left_out = ", ".join(self.training.left_out)
        without = f" (without {left_out}, where nothing was painted)" if left_out else ""
        self._form.tell(f"training from {start}{without}; you can go on painting")
        self._form.progress.setRange(0, 0)
        self._timer.start(_WATCH)

    def stop(self) -> None:
        """Stop the training; its best model so far may still be taken over."""
        if self.training is not None:
            self.training.stop()

    def close(self) -> None:
        """Stop the training, and look no more."""
        self.stop()
        self._timer.stop()

    def _look(self) -> None:
        training, form = self.training, self._form
        if training is None:
            return
        if training.epochs:
            form.progress.setRange(0, training.epochs)
            form.progress.setValue(training.epoch)
            form.told.setText(next((one for one in reversed(training.lines) if one.startswith("epoch ")), ""))
        if training.is_running:
            return
        self._timer.stop()
        form.progress.setRange(0, 1)
        form.progress.setValue(0)
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
            self._form.tell(f"{verdict}. It is {path} now")
            self._taken_over()
        else:
            self._form.tell(f"{verdict}. The model before stays; the new one is {verdict.model}")
