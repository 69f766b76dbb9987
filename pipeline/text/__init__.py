"""The text prior: prompts become tensors once, before training, and travel with the checkpoint.

Prompts enter; for each a global feature (D,) and token features (L, D) leave, in a `TextStore`, and the networks know
nothing of language models. `build_text_source` chooses where these come from (a new source goes there, and nothing is
ever replaced by another source silently), `build_text_store` encodes each distinct prompt once. `prompt_files.py`
writes sentences for a data set, by rules or by a language model.
"""

from pipeline.text.features import (
    DEFAULT_PROMPT,
    EMPTY_PROMPT,
    PROMPTLESS_SOURCES,
    TextFeatures,
    TextStore,
    clean_prompt,
)
from pipeline.text.sources import TextSource, build_text_source, build_text_store, extend_text_store, random_features
