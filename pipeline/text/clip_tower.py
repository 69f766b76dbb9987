"""A frozen text transformer and its tokenizer: prompts in, features out; and CLIP's from open_clip."""

from __future__ import annotations

import difflib
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from pipeline.errors import UserError
from pipeline.text.clip_weights import fetch_pretrained, is_model_folder, weights_file
from pipeline.text.features import TextFeatures
from pipeline.text.torchscript import is_torchscript, read_torchscript

if TYPE_CHECKING:
    from open_clip import SimpleTokenizer
    from open_clip.transformer import TextTransformer

logger = logging.getLogger("vlsenet")

#: Numbers that OpenAI's files hold beside the weights.
_NO_WEIGHTS = ("input_resolution", "context_length", "vocab_size")


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
        number, most = len(self._tokenizer.encode(prompt)) + 2, self._transformer.context_length  # with start and end
        if number > most and not self._warned_of_length:
            self._warned_of_length = True
            said = "prompts longer than %d tokens are cut (this one has %d, others may follow): %.80s…"
            logger.warning(said, most, number, prompt)


def model_config(model: str, weights: Path | None = None) -> dict[str, Any]:
    """open_clip's description of an architecture: `embed_dim`, `text_cfg` and the rest.

    Args:
        model: open_clip's name.
        weights: local weights; a folder with an `open_clip_config.json` brings its own description.

    Raises:
        UserError: unknown model, or one whose text tower or tokenizer open_clip would fetch from elsewhere.
    """
    import open_clip

    if not isinstance(model, str) or ":" in model:  # with a colon open_clip would ask the hub, or read a folder
        raise UserError(
            f"text_model {model}: give the name of an architecture, such as RN50; give a downloaded folder as "
            "--text_weights"
        )
    try:
        config = open_clip.get_model_config(_identifier(model, weights))
    except (OSError, ValueError, AttributeError) as error:
        raise UserError(f"{weights}: open_clip_config.json cannot be read ({error})") from error
    if weights and is_model_folder(weights) and not _describes_clip(config):
        raise UserError(
            f"{weights}: open_clip_config.json does not describe a CLIP model (model_cfg with embed_dim, vision_cfg "
            "and text_cfg); download the folder again"
        )
    if config is None:
        near = difflib.get_close_matches(model, open_clip.list_models(), n=3)
        hint = f"; similar names are {', '.join(near)}" if near else ""
        raise UserError(f"text model {model!r} is unknown to open_clip {open_clip.__version__}{hint}")
    text = config["text_cfg"]
    if text.get("hf_model_name") or text.get("hf_tokenizer_name") or text.get("embed_cls"):
        raise UserError(
            f"text model {model!r} does not have CLIP's own text transformer and tokenizer: choose one that does, "
            "such as RN50, ViT-B-32 or ViT-L-14"
        )
    return config


def load_clip_tower(model: str, pretrained: str, weights: Path | None = None) -> TextTower:
    """Load the text tower with its weights; the image tower is dropped.

    Args are those of `pipeline.text.build_text_source`.

    Raises:
        UserError: unknown model or tag; weights that are out of reach, unreadable, or of another architecture.
    """
    import open_clip

    config = model_config(model, weights)
    tag = open_clip.get_pretrained_cfg(model, str(pretrained))
    if not tag and not weights:
        known = open_clip.list_pretrained_tags_by_model(model)
        raise UserError(f"open_clip has no weights {pretrained!r} for {model}: choose one of {', '.join(known)}")
    name = _identifier(model, weights)
    whole_folder = name != model
    file = weights_file(weights) if weights else fetch_pretrained(model, pretrained)
    # OpenAI's weights were trained with quick-GELU, which the plain name of a model does not say.
    quick_gelu = bool(config.get("quick_gelu") or (tag.get("quick_gelu") and not whole_folder))
    logger.info("text tower %s (%s, quick-GELU %s) from %s", model, pretrained, quick_gelu, file)
    try:
        # the random initial weights must not move the caller's random state
        with torch.random.fork_rng(devices=[]), _without_code(file) as harmless:
            clip = open_clip.create_model(
                name,
                pretrained=None if whole_folder else str(harmless),
                force_quick_gelu=quick_gelu,
                force_custom_text=True,  # keeps the text tower as a module of its own
                require_pretrained=True,
                weights_only=True,
            )
    except Exception as error:  # whatever readers of four formats raise on a file that is not what it should be
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        if isinstance(error, UnpicklingError):  # PyTorch's own message explains how to run the code in it
            reason = "it is damaged, or holds objects other than tensors, which might run code"
        raise UserError(
            f"{file}: not readable as weights of {model} ({reason}); check the file and the model's name"
        ) from error
    return TextTower(clip.text, open_clip.get_tokenizer(name))


def _identifier(model: str, weights: Path | None) -> str:
    return f"local-dir:{weights}" if weights and is_model_folder(weights) else model


def _describes_clip(config: Any) -> bool:
    return (
        isinstance(config, dict)
        and isinstance(config.get("embed_dim"), int)
        and all(isinstance(config.get(part), dict) for part in ("vision_cfg", "text_cfg"))
    )


@contextmanager
def _without_code(file: Path) -> Iterator[Path]:
    """The file itself, or, of TorchScript, its tensors in a temporary file that is read by `weights_only`."""
    if not is_torchscript(file):
        yield file
        return
    tensors = {name: tensor for name, tensor in read_torchscript(file).items() if name not in _NO_WEIGHTS}
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "weights.pt"
        torch.save(tensors, plain)
        yield plain
