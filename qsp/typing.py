"""Shapes, by the names the equations use. Axes: tissue (4) and kind of target cell (3).

An equation is written for one patient. The engine computes many at once and gives every array one
more axis, the last: equations broadcast from the right, and reduce over axes by their number.
"""

from jaxtyping import Array, Float, Int

Scalar = Float[Array, ""]
PerTissue = Float[Array, "tissue"]
PerKindTissue = Float[Array, "kind tissue"]
PerCytokine = Float[Array, "cytokine"]
Index = Int[Array, ""]
