"""What to do where the weights of CLIP are out of reach: one wording for all messages."""

from __future__ import annotations

#: How a user gets text features, for the end of an error message.
THREE_WAYS = (
    "(1) run once where the model hub can be reached, or copy its cache from such a machine "
    "(HF_HOME, by default ~/.cache/huggingface); "
    "(2) give a local file or folder with the weights: --text_weights PATH; "
    "(3) train with another prior: --text_source learned, none or random (untrained for tests)"
)
