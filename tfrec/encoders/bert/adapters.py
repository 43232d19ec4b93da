"""Low-rank adapters (LoRA, Hu et al. 2021, arXiv:2106.09685): a large matrix is kept, a small change of it learned."""

from __future__ import annotations

import tensorflow as tf

# The projections of self-attention that the paper adapts (section 4.2).
ADAPTED = ("query", "value")


class Adapter(tf.Module):
    """What is added to a dense layer's outputs: alpha / rank times x A B, with B zero at first, so nothing."""

    def __init__(self, name: str, inputs: int, outputs: int, rank: int, alpha: float) -> None:
        """Make A [inputs, rank], normal with a variance of 1 / inputs, and B [rank, outputs], zeros."""
        super().__init__()
        self.down = tf.Variable(tf.random.normal([inputs, rank], stddev=inputs**-0.5), name=f"{name}/adapter_down")
        self.up = tf.Variable(tf.zeros([rank, outputs]), name=f"{name}/adapter_up")
        self._scale = alpha / rank

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """Map x [N, inputs] to [N, outputs]."""
        return tf.matmul(tf.matmul(x, self.down), self.up) * self._scale


def layer_adapters(layers: int, width: int, rank: int, alpha: float) -> list[dict[str, Adapter]]:
    """Adapters of the query and value projections [width, width] of each layer."""
    return [
        {part: Adapter(f"layer_{n}/self_attention/{part}", width, width, rank, alpha) for part in ADAPTED}
        for n in range(layers)
    ]
