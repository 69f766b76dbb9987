"""The list of phases in the dock: their names and colours, of which one is painted."""

from __future__ import annotations

from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QListWidget, QListWidgetItem

from pipeline.annotations.session import LabelSession
from pipeline.annotations.stroke_store import REST
from pipeline.label.window_layers import colours_of, names_text

#: Qt's role of an item under which its code is kept
_CODE = 256


class PhaseList(QListWidget):
    """The phases of a session and the rest, of which one is chosen."""

    def __init__(self) -> None:
        super().__init__()
        self.setMaximumHeight(120)

    def show_phases(self, session: LabelSession, chosen: int = 0) -> None:
        """Show the phases of a session.

        Args:
            session: whose phases.
            chosen: row that is chosen; from the end where it is negative.
        """
        self.clear()
        colours = colours_of(session)
        for code, name in names_text(session):
            picture = QPixmap(16, 16)
            picture.fill(QColor(*colours[code]))
            icon = QIcon(picture)
            icon.addPixmap(picture, QIcon.Mode.Selected)  # or else it is tinted where it is chosen
            item = QListWidgetItem(icon, name if code != REST else "rest (none of the phases)")
            item.setData(_CODE, code)
            self.addItem(item)
        self.setCurrentRow(chosen % self.count())

    @property
    def code(self) -> int | None:
        """Of the class that is chosen; None before any data set is open."""
        item = self.currentItem()
        return None if item is None else int(item.data(_CODE))
