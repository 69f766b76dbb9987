"""What the objects and the share of a phase are called in a report: pores have words of their own."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.phases import PORE


@dataclass(frozen=True)
class Terms:
    """Words for one phase.

    Attributes:
        phase: its name.
        is_stack: whether several slices were segmented.
        table: name of the file of its objects, without suffix.
    """

    phase: str = PORE
    is_stack: bool = False
    table: str = "pores"

    @property
    def is_pore(self) -> bool:
        """Whether the phase is pore."""
        return self.phase == PORE

    @property
    def fraction(self) -> str:
        """Its share of the rock."""
        if self.is_pore:
            return "porosity"
        return "volume fraction" if self.is_stack else "area fraction"

    @property
    def its_fraction(self) -> str:
        """The same within a sentence."""
        return "porosity" if self.is_pore else f"the {self.fraction}"

    @property
    def fractions(self) -> str:
        """Several of these."""
        return "porosities" if self.is_pore else f"{self.fraction}s"

    @property
    def thing(self) -> str:
        """A connected part of it."""
        return "pore" if self.is_pore else "object"

    @property
    def a_thing(self) -> str:
        """With its article."""
        return "a pore" if self.is_pore else "an object"

    @property
    def things(self) -> str:
        """Several of these."""
        return f"{self.thing}s"

    @property
    def rows(self) -> str:
        """What the rows of the table are: in a stack, a pore has one in every slice that it crosses."""
        return "sections" if self.is_stack else self.things
