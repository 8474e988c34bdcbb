"""Native programs, primitive by primitive, against JAX under vmap in simulations that differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp.native import Shape, Unsupported, build, codegen
from tests.native.compare import agree, natively, program

SIMULATIONS = 21


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(1).normal(size=(SIMULATIONS, 6))


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(2).integers(0, 9, SIMULATIONS)


# === arithmetic =================================================================================


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[0] + x[1] * x[2] - x[3] / x[4],
        lambda x: jnp.sqrt(jnp.abs(x)) * jnp.floor(3.0 * x),
        lambda x: jnp.where(x > 0.0, x, -x) ** 3 + x**-2,
        lambda x: jnp.exp(x) + jnp.log(jnp.abs(x)) + jnp.abs(x) ** 0.7,
        lambda x: jnp.clip(x, -0.5, 0.5).sum() + x.max() - x.min(),
        lambda x: jnp.stack([x, 2.0 * x])[::-1].T.reshape(3, 4).sum(0),
        lambda x: jnp.concatenate([x[3:], jnp.zeros(2), x[:3]])[1:7] * jnp.arange(6.0),
        lambda x: jnp.pad(x, (1, 2), constant_values=7.0),
        lambda x: x.reshape(2, 3) @ x.reshape(3, 2) + jnp.einsum("i,j->ij", x[:2], x[4:]),
        lambda x: (x > 0.1) | (x < -0.1) & ~(x == x[0]),
        lambda x: (10.0 * x).astype(jnp.int32) // 2 * 3 - (x > 0).astype(jnp.int32),
        lambda x: jax.lax.cond(x[0] > 0.0, lambda x: x + 1.0, lambda x: x * x, x),
        lambda x: jax.lax.switch((4.0 * x[0]).astype(int), [jnp.abs, jnp.square, jnp.negative], x),
    ],
)
def test_functions_agree_with_jax(function, numbers):
    agree(function, numbers, rtol=3e-13)


def test_nan_and_infinity_agree_with_jax():
    x = np.array([[1.0, np.nan], [np.nan, 1.0], [np.inf, 1.0], [-np.inf, np.nan], [2.0, 3.0]])
    agree(lambda x: (x.max(), x.min(), x.sum(), jnp.isfinite(x), x[0] == x[1], x[0] != x[1]), x)


def test_integers_shifts_and_bitcasts():
    integers = np.random.default_rng(5).integers(-(2**40), 2**40, (SIMULATIONS, 3))

    def function(n):
        floats = n.astype(jnp.float64)
        bits = jax.lax.bitcast_convert_type(floats, jnp.int64)
        return (n << 3) - (n >> 2), bits, jnp.maximum(n[0], n[1]), n.astype(jnp.int32)[0] > 5

    agree(function, integers)


def test_integer_division_agrees_with_xla_where_a_processor_traps():
    a = np.array([7, -7, 7, -7, 5, -(2**63), 0, 9])
    b = np.array([2, 2, -2, -2, 0, -1, 0, -1])
    agree(lambda a, b: (jax.lax.div(a, b), jax.lax.rem(a, b), a // 3, (a - 4) % 5), a, b)
    agree(lambda n: jax.lax.fori_loop(0, n, lambda i, s: s + 100 // (n - i), 0), np.arange(9))


def test_division_of_constant_integers_is_folded_alike(numbers):
    def step(total, i):
        return total + jax.lax.div(i - 7, 2) + jax.lax.rem(i - 7, 3), None

    agree(lambda x: jax.lax.scan(step, 0, jnp.arange(12))[0].astype(float) * x, numbers)


def test_conversion_to_integers_saturates():
    x = np.array([1e30, -1e30, np.nan, np.inf, -np.inf, 2.7, -2.7, 0.0])
    agree(lambda x: (x.astype(jnp.int32), x.astype(jnp.int64), x.astype(jnp.uint32)), x)


def test_powers_of_negative_numbers():
    x = np.array([-2.0, -2.0, -2.0, -8.0, 1.0, 1.0, -1.0, 3.0])
    y = np.array([3.0, 2.0, -1.0, 1.0 / 3.0, np.inf, np.nan, 2.0, 2.0])
    agree(lambda x, y: jnp.power(x, y), x, y)
    agree(lambda n: (n**2, jnp.sign(n - 3)), np.arange(9))


def test_products_are_not_fused_with_sums():
    """A fused multiply-add would leave the rounding error of the other product."""
    a, b = np.random.default_rng(8).uniform(1.0, 2.0, (2, 64))
    found = natively(lambda a, b: (a * b - b * a, -3.0 * a + 3.0 * a), a, b)
    np.testing.assert_array_equal(found, np.zeros((2, 64)))


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.lists(
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x if abs(x) > 1e-6 else 1.0),
        min_size=1,
        max_size=SIMULATIONS,
    )
)
def test_any_number_of_simulations_and_any_values(values):
    x = np.array(values)
    agree(
        lambda x: (x / (1.0 + x * x), jnp.exp(-jnp.abs(x) * 1e-5), x - jnp.floor(x)), x, rtol=1e-14
    )


# === loops ======================================================================================


def power(x, n):
    return jax.lax.fori_loop(0, n, lambda _, y: y * x + 0.25, x)


def collatz(n):
    def step(state):
        n, count = state
        return jnp.where(n % 2 == 0, n // 2, 3 * n + 1), count + 1

    return jax.lax.while_loop(lambda state: state[0] > 1, step, (n, 0))


def test_each_simulation_leaves_a_loop_by_its_own_condition(numbers, counts):
    agree(lambda x, n: power(x[0], n), numbers, counts, rtol=1e-13)


def test_nested_loops(numbers, counts):
    def function(x, n):
        def outer(i, y):
            return power(y, (i + n) % 4) * 0.5 + x[1]

        return jax.lax.fori_loop(0, n, outer, x[0])

    agree(function, numbers, counts, rtol=1e-12)


def test_a_scan_forward_and_backward(numbers):
    def step(carry, x):
        return carry * 0.5 + x, carry - x

    agree(lambda x: jax.lax.scan(step, x[0], x), numbers, rtol=1e-13)
    agree(lambda x: jax.lax.scan(step, x[0], x, reverse=True), numbers, rtol=1e-13)


def test_a_loop_that_swaps_its_carry(numbers, counts):
    def function(x, n):
        return jax.lax.fori_loop(0, n, lambda _, ab: (ab[1], ab[0] + 1.0), (x[0], x[1]))

    agree(function, numbers, counts)


def test_invariant_constants_are_not_carried(counts):
    """The amount of an absent drug is zero at first, and its rate is zero at zero."""

    def function(n):
        def step(_, state):
            drug, cells = state
            return drug - 0.1 * drug, cells * (1.0 + jnp.exp(drug.sum()))

        return jax.lax.fori_loop(0, n, step, (jnp.zeros(3), jnp.ones(())))

    agree(function, counts)
    assert program(function, counts).slots == 3  # loop counter, its limit, and the cells


def test_a_scalar_that_changes_in_a_later_iteration_is_not_invariant(counts):
    """Each element of the chain is constant as long as the one before it is."""

    def function(n):
        def step(i, chain):
            return jnp.concatenate([chain[:1] + i, chain[:-1]])

        return jax.lax.fori_loop(0, n, step, jnp.zeros(5))

    agree(function, counts)


# === indices that differ between simulations ====================================================


@pytest.mark.parametrize("length", [4, 60])
@pytest.mark.parametrize("shift", [-3, 0, 50])
def test_rows_are_gathered_and_scattered_at_individual_indices(length, shift, counts):
    """Out of range, gathers clip the index and scatters drop the update."""
    table = np.random.default_rng(9).normal(size=(SIMULATIONS, length, 2))

    def function(table, n):
        at = n + shift
        read = jnp.take(table, at, axis=0, mode="clip")
        part = jax.lax.dynamic_slice_in_dim(table, at, 3)

        def step(i, state):
            rows, slices = state
            rows = rows.at[at].set(read + i, mode="drop")
            return rows, jax.lax.dynamic_update_slice_in_dim(slices, part + i, at, 0)

        return read, part, jax.lax.fori_loop(0, n, step, (table * 1.0, jnp.zeros((length, 2))))

    agree(function, table, counts)


def test_an_inner_loop_updates_a_long_table_in_place(counts):
    def function(n):
        def inner(j, state):
            table, i = state
            return table.at[(7 * i + j) % 40].set(1.0 * i + 0.01 * j), i

        def outer(i, table):
            return jax.lax.fori_loop(0, (i + n) % 5, inner, (table, i))[0] * 1.0

        return jax.lax.fori_loop(0, n, outer, jnp.full(40, -1.0))

    agree(function, counts)


def test_old_values_are_read_after_an_update_in_place(counts):
    def function(n):
        def step(i, table):
            return 0.5 * (table.at[i].set(1.0) + table[::-1])

        return jax.lax.fori_loop(0, n, step, jnp.arange(40.0))

    agree(function, counts)


def test_a_conditional_update_of_a_table(counts):
    def function(n):
        def step(i, table):
            return jax.lax.cond(i % 2 == 0, lambda t: t.at[i].set(-1.0), lambda t: t + 0.5, table)

        return jax.lax.fori_loop(0, n, step, jnp.arange(40.0))

    agree(function, counts)


def test_a_table_of_an_outer_scope_is_copied_before_an_update(counts):
    """Each iteration starts again from the unchanged table, which excludes an update in place."""

    def function(n):
        table = jax.lax.fori_loop(
            0, n, lambda i, t: t.at[i].set(1.0 * i, mode="drop"), jnp.zeros(30)
        )

        def step(j, total):
            changed = table.at[j].set(9.0, mode="drop")
            return total + jnp.take(changed, n - j, mode="clip")

        return jax.lax.fori_loop(0, n, step, 0.0)

    agree(function, counts)


def test_an_inner_loop_that_restarts_from_the_outer_table(counts):
    def function(n):
        def inner(j, table):
            return table.at[j].set(1.0 + j, mode="drop")

        def outer(i, state):
            table, total = state
            return table + 1.0, total + jax.lax.fori_loop(0, i, inner, table).sum()

        return jax.lax.fori_loop(0, n, outer, (jnp.arange(30.0), 0.0))

    agree(function, counts)


def test_a_table_carried_twice_is_copied(counts):
    def function(n):
        def inner(j, state):
            table, first = state
            return table.at[j].set(5.0, mode="drop"), first

        def outer(i, table):
            table, first = jax.lax.fori_loop(0, i, inner, (table, table[0]))
            return table + first

        return jax.lax.fori_loop(0, n, outer, jnp.arange(30.0))

    agree(function, counts)


def test_one_jaxpr_called_from_two_places(counts):
    def function(n):
        twice = jax.jit(lambda x, n: jax.lax.fori_loop(0, n, lambda _, y: 2.0 * y, x))
        return twice(0.0, n) + twice(1.0, n)

    agree(function, counts)


# === whole programs =============================================================================


def test_absent_inputs_change_no_bit(numbers):
    """A program without some inputs agrees with one that gets zeros for them."""
    x = numbers.copy()
    x[:, [1, 4]] = 0.0

    def function(x):
        def step(_, y):
            gain = 1.0 / (1.0 + x[1] * y)
            return y * gain + x[0] * x[4] / (x[2] * x[2] + 1.0) + jnp.exp(x[3] * x[1]) * x[5] * gain

        return jax.lax.fori_loop(0, 20, step, x[0])

    def without(absent):
        shape = Shape((6,), np.dtype(float), frozenset(absent))
        return build(function, (jax.ShapeDtypeStruct((6,), float),), [shape])

    sims = x[np.arange(24) % SIMULATIONS]
    full, reduced = without([]), without([1, 4])
    np.testing.assert_array_equal(reduced(sims), full(sims))


@pytest.mark.parametrize("width", [2, 4, 8])
def test_every_register_width_gives_the_same_bits(width, numbers, counts, monkeypatch):
    def function(x, n):
        return power(x[0], n) + jnp.exp(x[1]) / jnp.log(2.0 + x[2] ** 2) * x.sum()

    index = np.arange(24) % SIMULATIONS
    expected = program(function, numbers, counts)(numbers[index], counts[index])
    monkeypatch.setattr(codegen, "register_width", lambda: width)
    found = program(function, numbers, counts)(numbers[index], counts[index])
    np.testing.assert_array_equal(found, expected)


def test_errors_name_the_unsupported_primitive_or_type(numbers):
    with pytest.raises(Unsupported, match="sin has no native form"):
        program(jnp.sin, numbers)
    with pytest.raises(Unsupported, match="float32"):
        program(lambda x: x.astype(jnp.float32) * 2, numbers)
    with pytest.raises(Unsupported, match="reduce has no native form"):
        program(lambda x: jax.lax.reduce(x, 0.0, lambda a, b: a + 2.0 * b, (0,)), numbers)
    with pytest.raises(Unsupported, match="int8"):
        program(lambda x: x + x, np.zeros((SIMULATIONS, 2), np.int8))


# === cached programs ============================================================================


def test_a_cached_program_is_loaded(tmp_path, numbers, monkeypatch):
    def function(x):
        return jnp.exp(x).sum()

    sims = numbers[np.arange(24) % SIMULATIONS]
    first = program(function, numbers, folder=tmp_path)(sims)
    [file] = tmp_path.iterdir()
    monkeypatch.setattr(codegen, "compile_ir", lambda text: pytest.fail("compiled again"))
    np.testing.assert_array_equal(program(function, numbers, folder=tmp_path)(sims), first)
    assert list(tmp_path.iterdir()) == [file]


def test_a_fingerprint_finds_a_program_without_tracing(tmp_path, numbers):
    sims = numbers[np.arange(24) % SIMULATIONS]
    traced = []

    def built():
        def function(x):
            traced.append(1)
            return {"sum": jnp.exp(x).sum(), "count": jnp.int32(3)}

        shape = Shape(numbers.shape[1:], numbers.dtype)
        arguments = (jax.ShapeDtypeStruct(shape.shape, shape.dtype),)
        return build(function, arguments, [shape], tmp_path, "name")(sims)

    first, again = built(), built()
    assert len(traced) == 1
    assert first.keys() == again.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], again[name], strict=True)
    [code] = tmp_path.glob("native-*")
    code.write_bytes(code.read_bytes()[:-100] + bytes(100))
    np.testing.assert_array_equal(built()["sum"], first["sum"])
    assert len(traced) == 2
    code.unlink()
    built()
    assert len(traced) == 3


def test_a_folder_that_cannot_be_created_disables_the_cache(tmp_path, numbers):
    (tmp_path / "file").touch()
    program(jnp.exp, numbers, folder=tmp_path / "file" / "cache")


def test_different_programs_have_different_files(tmp_path, numbers):
    for factor in (2.0, 3.0):
        program(lambda x, factor=factor: x * factor, numbers, folder=tmp_path)
    program(lambda x: x[:3] * 2.0, numbers, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_file_is_compiled_again(tmp_path, numbers):
    sims = numbers[np.arange(24) % SIMULATIONS]
    program(jnp.exp, numbers, folder=tmp_path)
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-100] + bytes(100))
    np.testing.assert_allclose(
        program(jnp.exp, numbers, folder=tmp_path)(sims), np.exp(sims), rtol=1e-15
    )
    assert file.read_bytes() == content
