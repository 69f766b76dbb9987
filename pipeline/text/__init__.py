"""The text prior: prompts become tensors once, before training, and travel with the checkpoint.

The networks take a global text feature (D,) and token features (L, D) for each image and know nothing of language
models. `build_text_source` chooses where these come from, `build_text_store` encodes each distinct prompt once.
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
