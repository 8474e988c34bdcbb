"""Array types by shape. Axes: tissue (4), kind of target cell (3) and cytokine (6).

Equations are written for one patient. The engine evaluates them for many patients at once, with an
additional last axis on every array. Equations therefore broadcast from the right and reduce over
axes by their index from the left.
"""

from jaxtyping import Array, Float, Int

Scalar = Float[Array, ""]
PerTissue = Float[Array, "tissue"]
PerKindTissue = Float[Array, "kind tissue"]
PerCytokine = Float[Array, "cytokine"]
Index = Int[Array, ""]
