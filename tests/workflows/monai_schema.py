"""What MONAI's schema of 2024-07-25 asks of a bundle's `metadata.json`, written down from the published file.

The file itself (`meta_schema_20240725.json`, which `metadata.json` names by its address) states no licence, so that it
is not copied; it asks the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_TEXT, _MAPPING = {"type": "string"}, {"type": "object"}
_TENSOR = {
    "type": _TEXT,
    "format": _TEXT,
    "num_channels": {"type": "integer"},
    "spatial_shape": {"type": "array", "items": {"type": ["string", "integer"]}},
    "dtype": _TEXT,
    "value_range": {"type": "array", "items": {"type": "number"}},
}
_NETWORK = {
    "type": "object",
    "properties": {
        kind: {
            "type": "object",
            "additionalProperties": {
                "anyOf": [
                    {"type": ["number", "string", "boolean"]},
                    {
                        "type": "object",
                        "properties": {**_TENSOR, "is_patch_data": {"type": "boolean"}, "channel_def": _MAPPING},
                        "required": list(_TENSOR),
                    },
                ]
            },
        }
        for kind in ("inputs", "outputs", "post_processed_outputs")
    },
    "required": ["inputs", "outputs"],
}
_NEEDED = {
    **dict.fromkeys(("schema", "version", "monai_version", "pytorch_version", "numpy_version"), _TEXT),
    **dict.fromkeys(("task", "description", "authors", "copyright"), _TEXT),
    "required_packages_version": _MAPPING,
    "network_data_format": _NETWORK,
}
_FURTHER = {
    **dict.fromkeys(("changelog", "eval_metrics", "supported_apps"), _MAPPING),
    **dict.fromkeys(("data_source", "data_type", "image_classes", "label_classes", "pred_classes"), _TEXT),
    "intended_use": _TEXT,
    "references": {"type": "array", "items": _TEXT},
}
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2019-09/schema",
    "type": "object",
    "properties": {**_NEEDED, **_FURTHER},
    "patternProperties": {"^[_a-zA-Z0-9]+_data_format$": _NETWORK},
    "required": list(_NEEDED),
}


def write_schema(folder: Path) -> str:
    """Write it as the file that `verify_metadata --filepath` takes in place of a download."""
    path = folder / "meta_schema.json"
    path.write_text(json.dumps(SCHEMA))
    return str(path)
