"""Machine code of a scalar program, with the signature that compiled solvers expect."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from llvmlite import binding, ir
from peers_graph import Node, Program

DOUBLE = ir.DoubleType()
FLAGS = ("contract",)
"""Fast-math flags: products and sums may be fused, but not reordered."""

ARITHMETIC = {"add": "fadd", "sub": "fsub", "mul": "fmul", "div": "fdiv"}
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
EXTREMA = {"max": ">", "min": "<"}
INTRINSICS = {"exp": "exp", "log": "log", "sqrt": "sqrt", "pow": "pow", "abs": "fabs"}
LIBRARY = ("log1p", "expm1", "tanh")


@dataclasses.dataclass(frozen=True)
class Native:
    """A compiled function `void (double t, double *y, double *dy, double *inputs)`.

    Args:
        address: Address of the function.
        engine: Owner of the code, which is freed with it.
    """

    address: int
    engine: Any


def compile_native(program: Program) -> Native:
    """Compile a program for this processor."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_triple(binding.get_process_triple())
    machine = target.create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
    )
    module = binding.parse_assembly(str(_module(program)))
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    engine = binding.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return Native(engine.get_function_address("rates"), engine)


def _module(program: Program) -> ir.Module:
    module = ir.Module("program")
    pointer = DOUBLE.as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [DOUBLE, pointer, pointer, pointer])
    function = ir.Function(module, kind, "rates")
    time, state, rates, data = function.args
    for argument in (state, rates, data):
        argument.add_attribute("noalias")
    builder = ir.IRBuilder(function.append_basic_block())
    sources = {"state": state, "data": data}
    values: list[Any] = []
    for node in program.nodes:
        if node.op == "time":
            values.append(time)
        elif node.op in sources:
            values.append(builder.load(_at(builder, sources[node.op], int(node.value))))
        else:
            values.append(_value(builder, module, node, [values[i] for i in node.args]))
    for place, output in enumerate(program.outputs):
        builder.store(values[output], _at(builder, rates, place))
    builder.ret_void()
    return module


def _at(builder: ir.IRBuilder, pointer: Any, index: int) -> Any:
    return builder.gep(pointer, [ir.Constant(ir.IntType(64), index)], source_etype=DOUBLE)


def _value(builder: ir.IRBuilder, module: ir.Module, node: Node, args: list[Any]) -> Any:
    op = node.op
    if op == "const":
        return ir.Constant(DOUBLE, float(node.value))
    if op in ARITHMETIC:
        return getattr(builder, ARITHMETIC[op])(*args, flags=FLAGS)
    if op == "neg":
        return builder.fneg(*args)
    if op in COMPARISONS:
        return builder.fcmp_ordered(COMPARISONS[op], *args)
    if op in EXTREMA:
        return builder.select(builder.fcmp_unordered(EXTREMA[op], *args), *args)
    if op == "select_n":
        predicate, on_false, on_true = args
        return builder.select(predicate, on_true, on_false)
    return builder.call(_function(module, op, len(args)), args)


def _function(module: ir.Module, op: str, count: int) -> Any:
    name = f"llvm.{INTRINSICS[op]}.f64" if op in INTRINSICS else op
    if op not in INTRINSICS and op not in LIBRARY:
        raise NotImplementedError(f"{op} cannot be compiled to machine code")
    functions: Mapping[str, Any] = module.globals
    if name in functions:
        return functions[name]
    return ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE] * count), name)
