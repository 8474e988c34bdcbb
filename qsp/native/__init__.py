"""Compile a JAX program of one simulation to machine code that runs several in vector registers.

The program is traced by JAX, so that equations, solver and dosing are written once. Each scalar of
the trace becomes a vector register; its lanes hold the values of different simulations. A loop runs
until every lane has left it, and masks keep the values of lanes that have.
"""

from qsp.native.codegen import processor
from qsp.native.instructions import Unsupported
from qsp.native.program import Program, Shape, build, is_cached

__all__ = ["Program", "Shape", "Unsupported", "build", "is_cached", "processor"]
