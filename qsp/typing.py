"""Array types by shape. Axes: tissue (4), kind of target cell (3), cytokine (6); visit, lesion.

Parameters are given for 6 lesions, and a state has the number of lesions that is simulated.
Equations are written for one patient. The engine evaluates them for many patients at once, with an
additional last axis on every array. Equations therefore broadcast from the right and reduce over
axes by their index from the left.
"""

from jaxtyping import Array, Bool, Float, Int

Scalar = Float[Array, ""]
PerTissue = Float[Array, "tissue"]
PerKindTissue = Float[Array, "kind tissue"]
PerLesion = Float[Array, "lesion"]
PerCytokine = Float[Array, "cytokine"]
Index = Int[Array, ""]
Flag = Bool[Array, ""]

PerVisit = Float[Array, "visit"]
FlagPerVisit = Bool[Array, "visit"]
IndexPerVisit = Int[Array, "visit"]
PerVisitIfAny = Float[Array, "*visit"]
PerVisitLesion = Float[Array, "*visit lesion"]
FlagPerVisitLesion = Bool[Array, "*visit lesion"]
PerSample = Float[Array, "sample"]
