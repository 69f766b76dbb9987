"""A frozen text transformer and its tokenizer: prompts in, features out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.text.features import TextFeatures

if TYPE_CHECKING:
    from open_clip import SimpleTokenizer
    from open_clip.transformer import TextTransformer

logger = logging.getLogger("vlsenet")


class TextTower:
    """The text half of CLIP (Radford et al., ICML 2021), without gradients.

    Args:
        transformer: open_clip's `TextTransformer`; it is frozen and set to evaluation.
        tokenizer: open_clip's byte-pair tokenizer, whose vocabulary comes with the package.
    """

    def __init__(self, transformer: TextTransformer, tokenizer: SimpleTokenizer) -> None:
        transformer.output_tokens = True  # besides the pooled feature, returns all tokens after the last LayerNorm
        self._transformer = transformer.float().eval().requires_grad_(False)
        self._tokenizer = tokenizer
        self._warned_of_length = False

    @property
    def dim(self) -> int:
        """Width D of the features."""
        return self._transformer.output_dim

    @property
    def length(self) -> int:
        """Number L of tokens."""
        return self._transformer.context_length

    @torch.no_grad()
    def encode(self, prompt: str) -> TextFeatures:
        """Encode one prompt.

        One at a time, as results of a batch depend, in the last digits, on what else is in the batch.

        Returns:
            The end-of-text token, projected and L2-normalised (D,); every token, projected and L2-normalised (L, D).
        """
        self._warn_if_too_long(prompt)
        pooled, tokens = self._transformer(self._tokenizer([prompt]))
        return TextFeatures(normalize(pooled[0], dim=-1), normalize(self._project(tokens[0]), dim=-1))

    def _project(self, tokens: Tensor) -> Tensor:
        projection = self._transformer.text_projection
        if projection is None:
            return tokens
        return projection(tokens) if isinstance(projection, nn.Module) else tokens @ projection

    def _warn_if_too_long(self, prompt: str) -> None:
        number = len(self._tokenizer.encode(prompt)) + 2  # start and end of text
        if number > self.length and not self._warned_of_length:
            self._warned_of_length = True
            logger.warning(
                "prompts longer than %d tokens are cut (this one has %d, others may follow): %.80s…",
                self.length,
                number,
                prompt,
            )
