"""The text prior: prompts become tensors once, before training, and travel with the checkpoint.

Prompts enter; for each a global feature (D,) and token features (L, D) leave, in a `TextStore`, and the networks know
nothing of language models. `build_text_source` chooses where these come from (a new source goes there, and nothing is
ever replaced by another source silently), `build_text_store` encodes each distinct prompt once. `prompt_files.py`
writes sentences for a data set, by rules or by a language model.
"""

from __future__ import annotations

from pipeline.text.features import (
    DEFAULT_PROMPT,
    EMPTY_PROMPT,
    PROMPTLESS_SOURCES,
    TextFeatures,
    TextStore,
    clean_prompt,
)
from pipeline.text.sources import (
    TEXT_SOURCES,
    TextSource,
    build_text_source,
    build_text_store,
    extend_text_store,
    phrases_of,
    random_features,
)

__all__ = [
    "DEFAULT_PROMPT",
    "EMPTY_PROMPT",
    "PROMPTLESS_SOURCES",
    "TEXT_SOURCES",
    "TextFeatures",
    "TextSource",
    "TextStore",
    "build_text_source",
    "build_text_store",
    "clean_prompt",
    "extend_text_store",
    "phrases_of",
    "random_features",
]
