"""The convolutional network: 3×3 convolutions with batch normalisation, plain or residual."""

import jax

from jaxquard.nn.initializers import Initializer, he_normal
from jaxquard.nn.model import Model
from jaxquard.nn.sequential import EPSILON, Plan, sequential


def cnn(
    widths: tuple[int, ...] = (16, 32, 64),
    blocks: int = 1,
    *,
    stem: int = 1,
    image_shape: tuple[int, ...] = (28, 28, 1),
    classes: int = 10,
    activation: str = "relu",
    initializer: Initializer = he_normal,
    dropout_rate: float | jax.Array | None = None,
    mean: float = 0.0,
    std: float = 1.0,
) -> Model:
    """One stage for each of `widths`, 2×2 max pooling between stages, global average pooling, a dense layer.

    A stage is two layers a ← σ(BN(w ∗ a)); or, with `blocks` > 0, one such layer and that many residual blocks
    a ← σ(a + BN(w′ ∗ σ(BN(w ∗ a)))) (He et al., 2015, arXiv 1512.03385). Before the first layer, each `stem` × `stem`
    square of pixels becomes one pixel with stem² times the channels, which makes all layers cheaper. Dropout applies
    to the pooled features. ValueError if `widths` is empty or the image has too few pixels.
    """
    height, width, channels = image_shape
    height, width = (-(-size // stem) for size in (height, width))
    if not widths:
        raise ValueError("widths: at least one stage")
    if min(height, width) < 2 ** (len(widths) - 1):
        raise ValueError(f"widths: {len(widths)} stages halve {height}×{width} pixels to nothing; take fewer")
    plan: Plan = [("standardize", {"mean": mean, "std": std})]
    if stem > 1:
        plan.append(("space_to_depth", {"block": stem}))

    def convolution(n_in: int, n_out: int, shortcut: int | None = None) -> None:
        plan.append(("conv2d", {"shape": (3, 3, n_in, n_out), "stride": 1, "padding": "SAME"}))
        plan.append(("batch_norm", {"epsilon": EPSILON}))
        if shortcut is not None:
            plan.append(("add", {"layer": shortcut}))
        plan.append(("activation", {"function": activation}))

    for stage, (n_in, n_out) in enumerate(zip((stem**2 * channels, *widths), widths, strict=False)):
        if stage:
            plan.append(("max_pool", {"window": 2}))
        convolution(n_in, n_out)
        if not blocks:
            convolution(n_out, n_out)
        for _ in range(blocks):
            start = len(plan) - 1
            convolution(n_out, n_out)
            convolution(n_out, n_out, shortcut=start)
    plan.append(("global_avg_pool", {}))
    if dropout_rate is not None:
        plan.append(("dropout", {"stream": None}))
    plan.append(("dense", {"shape": (widths[-1], classes)}))
    return sequential(plan, initializer, dropout_rate)
