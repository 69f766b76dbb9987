"""What the dock shows: its buttons and fields, and what it says."""

from __future__ import annotations

import html
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QBoxLayout,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from pipeline.errors import mistake_behind
from pipeline.label.phase_list import PhaseList

logger = logging.getLogger("vlsenet")


class DockForm(QWidget):
    """The steps of the loop from top to bottom; `LabelDock` gives them their actions."""

    def __init__(self) -> None:
        super().__init__()
        self._build()

    def _build(self) -> None:
        layout = QVBoxLayout(self)
        row = QHBoxLayout()
        self.open_button = self._button(row, "Open a folder ...")
        self.scan_button = self._button(row, "Open a scan ...")
        layout.addLayout(row)
        self.images = QComboBox()
        layout.addWidget(self.images)
        layout.addWidget(QLabel("1. Paint a few strokes in each phase, and in the rest"))
        self.phases = PhaseList()
        layout.addWidget(self.phases)
        row = QHBoxLayout()
        self.new_phase = QLineEdit()
        self.new_phase.setPlaceholderText("another phase, such as silt grain")
        row.addWidget(self.new_phase)
        self.add_button = self._button(row, "Add")
        layout.addLayout(row)
        layout.addWidget(QLabel("2. Preview, and correct it"))
        row = QHBoxLayout()
        self.preview_button = self._button(row, "Preview")
        self.live = QCheckBox("follow the strokes")
        row.addWidget(self.live)
        layout.addLayout(row)
        layout.addWidget(QLabel("3. Train, on all strokes of all images"))
        row = QHBoxLayout()
        self.epochs = QSpinBox()
        self.epochs.setRange(1, 1000)
        self.epochs.setValue(20)
        self.epochs.setSuffix(" epochs")
        row.addWidget(self.epochs)
        self.train_button = self._button(row, "Train")
        self.stop_button = self._button(row, "Stop")
        layout.addLayout(row)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        layout.addWidget(self.progress)
        self.training_state = QLabel()
        self.training_state.setWordWrap(True)
        layout.addWidget(self.training_state)
        layout.addWidget(QLabel("4. Correct where the model is wrong, or unsure"))
        row = QHBoxLayout()
        self.model_button = self._button(row, "Show its mask")
        self.next_button = self._button(row, "Next")
        layout.addLayout(row)
        layout.addWidget(QLabel("5. Segment, with report"))
        self.segment_button = self._button(layout, "Segment this image")
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setOpenExternalLinks(True)
        self.told.setMinimumHeight(90)
        self.told.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addWidget(self.told)
        layout.addStretch()

    def _button(self, layout: QBoxLayout, text: str) -> QPushButton:
        button = QPushButton(text)
        layout.addWidget(button)
        return button

    def asked_folder(self) -> Path | None:
        """A folder that is chosen in a dialog; None where that is closed."""
        folder = QFileDialog.getExistingDirectory(self, "A folder of images, or a data set")
        return Path(folder) if folder else None

    def asked_scan(self) -> Path | None:
        """A file that is chosen in a dialog; None where that is closed."""
        file = QFileDialog.getOpenFileName(self, "A scan")[0]
        return Path(file) if file else None

    def list_images(self, names: Sequence[str]) -> None:
        """Offer images by their names; no signal is sent."""
        self.images.blockSignals(True)
        self.images.clear()
        self.images.addItems(names)
        self.images.blockSignals(False)

    def name_image(self, name: str) -> None:
        """Say which image is shown; no signal is sent."""
        self.images.blockSignals(True)
        self.images.setCurrentText(name)
        self.images.blockSignals(False)

    def training_settings(self) -> dict[str, object]:
        """Options of `vlsenet train`."""
        return {"max_epochs": self.epochs.value()}

    def tell(self, text: str) -> None:
        """Say something, in the dock and in the log."""
        self.told.setText(text)
        logger.info("%s", text)

    def tell_page(self, text: str, page: Path) -> None:
        """Say something with a link to a page, which a click opens in the browser."""
        link = f'<a href="{page.resolve().as_uri()}">{html.escape(page.name)}</a>'
        self.told.setText(f"{html.escape(text)}: {link}")
        logger.info("%s: %s", text, page)

    def guarded(self, action: Callable[[], None]) -> None:
        """Do something; a mistake is told, and ends nothing."""
        try:
            action()
        except Exception as error:
            self.failed(error)

    def _guard(self, action: Callable[[], None]) -> Callable[..., None]:
        """An action as the answer to a signal, whatever that says."""
        return lambda *_: self.guarded(action)

    def failed(self, error: BaseException) -> None:
        """Say what went wrong; what is no mistake of the user goes to the log with its trace."""
        mistake = mistake_behind(error)
        if mistake is None:
            logger.error("%s", error, exc_info=error)
        self.told.setText(f"<b>{html.escape(str(mistake or error))}</b>")
