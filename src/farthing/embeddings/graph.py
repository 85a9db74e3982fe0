"""The model's weights as a graph that onnxruntime works through: BERT (Devlin et al. 2019), its products in 8 bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Weights = Mapping[str, NDArray[Any]]
    """float32, by the names that the model's authors gave them."""

VECTORS = "vectors"
"""What goes in: float32, one text by tokens by dimensions."""
_HEAD = 32
"""Dimensions of one head."""
_LARGEST = 63
"""Of a weight: older processors add two of its products with 8 bits in 16 bits, which a larger one would overflow."""
_AFFINE = "weight", "bias"
_EPSILON = 1e-12
_OPSETS, _FORMAT = {"": 20, "com.microsoft": 1}, 10


def graph_of(weights: Weights) -> bytes:
    """The graph, in the format of ONNX: vectors of tokens and their positions in, vectors of tokens in context out."""
    from onnx import TensorProto, helper

    dimensions = weights["embeddings.LayerNorm.weight"].shape[0]
    drawing = _Drawing(weights)
    found = drawing.norm(VECTORS, "embeddings.LayerNorm")
    layer = 0
    while f"{(stem := f'encoder.layer.{layer}')}.output.dense.weight" in weights:
        found = drawing.layer(found, stem, dimensions // _HEAD)
        layer += 1
    shape = [1, "tokens", dimensions]
    graph = helper.make_graph(
        drawing.nodes,
        "encoder",
        [helper.make_tensor_value_info(VECTORS, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(found, TensorProto.FLOAT, shape)],
        drawing.constants,
    )
    opsets = [helper.make_opsetid(domain, version) for domain, version in _OPSETS.items()]
    raw: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=_FORMAT).SerializeToString()
    return raw


class _Drawing:
    """A graph as it grows."""

    def __init__(self, weights: Weights) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._weights = weights

    def layer(self, entered: str, stem: str, heads: int) -> str:
        """One layer: every token looks at all, then at itself."""
        looked = self._attention(entered, f"{stem}.attention.self", heads)
        looked = self._product(looked, f"{stem}.attention.output.dense")
        looked = self._added(looked, entered, f"{stem}.attention.output.LayerNorm")
        thought = self.node("Gelu", self._product(looked, f"{stem}.intermediate.dense"))[0]
        return self._added(self._product(thought, f"{stem}.output.dense"), looked, f"{stem}.output.LayerNorm")

    def node(
        self,
        kind: str,
        *entering: str,
        domain: str = "com.microsoft",
        leaving: int = 1,
        **settings: Any,  # noqa: ANN401 (what its kind takes)
    ) -> list[str]:
        """Adds a node, and returns the names of what leaves it."""
        from onnx import helper

        names = [f"{len(self.nodes)}.{place}" for place in range(leaving)]
        self.nodes.append(helper.make_node(kind, list(entering), names, domain=domain, **settings))
        return names

    def norm(self, entered: str, stem: str) -> str:
        """Adds a norm over the dimensions of each token."""
        constants = [self._constant(self._weights[f"{stem}.{kind}"]) for kind in _AFFINE]
        return self.node("LayerNormalization", entered, *constants, domain="", axis=-1, epsilon=_EPSILON)[0]

    def _added(self, found: str, before: str, stem: str) -> str:
        # As one node of its own kind it takes five times as long.
        return self.norm(self.node("Add", found, before, domain="")[0], stem)

    def _attention(self, entered: str, stem: str, heads: int) -> str:
        parts = [f"{stem}.{part}" for part in ("query", "key", "value")]
        weight, bias = (np.concatenate([self._weights[f"{part}.{kind}"] for part in parts]) for kind in _AFFINE)
        asked = self.node("Split", self._times(entered, weight, bias), domain="", leaving=3, axis=-1, num_outputs=3)
        return self.node("MultiHeadAttention", *asked, num_heads=heads)[0]

    def _product(self, entered: str, stem: str) -> str:
        return self._times(entered, *(self._weights[f"{stem}.{kind}"] for kind in _AFFINE))

    def _times(self, entered: str, weight: NDArray[Any], bias: NDArray[Any]) -> str:
        """The weights, turned, as int8, with what one step of each column is worth; what enters is rounded as well."""
        steps = np.abs(weight).max(axis=1) / _LARGEST
        rounded = np.rint(weight / steps[:, None]).astype(np.int8)
        constants = self._constant(rounded.T), self._constant(steps), "", self._constant(bias)
        return self.node("DynamicQuantizeMatMul", entered, *constants)[0]

    def _constant(self, value: NDArray[Any]) -> str:
        from onnx import numpy_helper

        name = f"constant.{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name
