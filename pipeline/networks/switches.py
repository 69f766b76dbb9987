"""Which parts of VLSE-Net are built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from pipeline.errors import UserError
from pipeline.wording import check_name


@dataclass(frozen=True)
class Switches:
    """One boolean per part of VLSE-Net; with all of them off it is the U-Net. The defaults are those of a training.

    Attributes:
        skip_gate: gate the skips by the decoder.
        modulate_skips: semantic modulation of the four skips.
        modulate_bottleneck: semantic modulation of the bottleneck.
        modulate_decoder: semantic modulation of the four decoder stages.
        renormalise: re-normalisation after every semantic modulation. Published on; off unless a training's config sets
            it, see `SemanticModulation`.
        bounded_modulation: semantic modulation with a bound and a division (published off), see `SemanticModulation`.
        text_adapters: text adapters after the three deepest decoder stages.
        cross_attention: token cross-attention at the bottleneck.
        text_head: with several phases, part of the last convolution made from the text (not published).
        alignment: region alignment loss.
        contrast: with several phases, region alignment that contrasts them (published off), see `PhaseContrast`.
        asrm_skip: ASRM on the deepest skip.
        asrm_bottleneck: ASRM on the bottleneck.
        asrm_decoder: ASRM on the first decoder stage.
        snake_horizontal: the horizontal branch of every ASRM.
        snake_vertical: the vertical branch of every ASRM.
        context: multi-scale context at the bottleneck.
    """

    skip_gate: bool = True
    modulate_skips: bool = True
    modulate_bottleneck: bool = True
    modulate_decoder: bool = True
    renormalise: bool = False
    bounded_modulation: bool = True
    text_adapters: bool = True
    cross_attention: bool = True
    text_head: bool = True
    alignment: bool = True
    contrast: bool = True
    asrm_skip: bool = True
    asrm_bottleneck: bool = True
    asrm_decoder: bool = True
    snake_horizontal: bool = True
    snake_vertical: bool = True
    context: bool = True

    def __post_init__(self) -> None:
        for name in self.names():
            value = getattr(self, name)
            if not isinstance(value, bool):  # the text "false" would count as true
                raise UserError(f"switch {name} is {value!r}: write true or false")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """All switches."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_mapping(cls, values: Mapping[str, bool] | None) -> Switches:
        """All on, except what is set otherwise: model files hold no more than that. None: the defaults.

        Raises:
            UserError: an unknown switch, or a value that is not a boolean.
        """
        if values is None:
            return cls()
        for name in values:
            check_name("switch", name, cls.names())
        return cls(**{**dict.fromkeys(cls.names(), True), **values})

    def of(self, phases: int) -> Switches:
        """As they are for so many phases: what tells phases apart is left out where there is one."""
        return self if phases > 1 else replace(self, text_head=False, contrast=False)

    @property
    def read_global_text(self) -> bool:
        """Whether some part of every forward pass reads the global text feature."""
        modulated = self.modulate_skips or self.modulate_bottleneck or self.modulate_decoder
        return modulated or self.text_adapters or self.text_head

    @property
    def read_text(self) -> bool:
        """Whether text changes the answer: some part of every forward pass reads the global feature or the tokens."""
        return self.read_global_text or self.cross_attention

    @property
    def train_with_text(self) -> bool:
        """Whether a training needs text: for its answer, or for the alignment loss, which inference leaves out."""
        return self.read_text or self.alignment


def changed_switches(values: Mapping[str, bool]) -> dict[str, bool]:
    """What a config sets otherwise than all on, checked: the `switches` of `build_network`.

    Raises:
        UserError: an unknown switch, a value that is not a boolean, or one value in place of the switches.
    """
    if not isinstance(values, Mapping):
        raise UserError(
            f"switches is {values!r}: set the parts one by one, as in switches::context=false; "
            f"choose from {', '.join(Switches.names())}"
        )
    chosen = Switches.from_mapping(values)
    return {name: False for name in Switches.names() if not getattr(chosen, name)}
