"""Shapes, by the names the equations use. Axes: tissue (4) and kind of target cell (3)."""

from jaxtyping import Array, Float, Int

Scalar = Float[Array, ""]
PerTissue = Float[Array, "tissue"]
PerKindTissue = Float[Array, "kind tissue"]
PerCytokine = Float[Array, "cytokine"]
Index = Int[Array, ""]
