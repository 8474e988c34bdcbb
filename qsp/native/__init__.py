"""Machine code for many lanes side by side, from a JAX program of one lane.

The program is the one that JAX traces, so equations, solver and dosing are written once. Each
number of it becomes a vector register that holds the number of several lanes; a loop goes on until
its last lane is done, and those that are done keep what they had.
"""

from qsp.native.codegen import processor
from qsp.native.instructions import Unsupported
from qsp.native.program import Program, Shape, build

__all__ = ["Program", "Shape", "Unsupported", "build", "processor"]
