"""What a program is made of: each part beside JAX, in lanes that differ."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qsp.native import Shape, Unsupported, build
from qsp.native import codegen as machine
from tests.native.compare import agree, natively, program

LANES = 21


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(1).normal(size=(LANES, 6))


@pytest.fixture(scope="module")
def counts():
    return np.random.default_rng(2).integers(0, 9, LANES)


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
def test_a_function_is_what_it_is_in_jax(function, numbers):
    agree(function, numbers, rtol=3e-13)


def test_what_is_no_number_stays_so():
    x = np.array([[1.0, np.nan], [np.nan, 1.0], [np.inf, 1.0], [-np.inf, np.nan], [2.0, 3.0]])
    agree(lambda x: (x.max(), x.min(), x.sum(), jnp.isfinite(x), x[0] == x[1], x[0] != x[1]), x)


def test_integers_and_their_bits():
    whole = np.random.default_rng(5).integers(-(2**40), 2**40, (LANES, 3))

    def function(n):
        floats = n.astype(jnp.float64)
        bits = jax.lax.bitcast_convert_type(floats, jnp.int64)
        return (n << 3) - (n >> 2), bits, jnp.maximum(n[0], n[1]), n.astype(jnp.int32)[0] > 5

    agree(function, whole)


def test_integers_are_divided_as_xla_does_and_stop_no_processor():
    a = np.array([7, -7, 7, -7, 5, -(2**63), 0, 9])
    b = np.array([2, 2, -2, -2, 0, -1, 0, -1])
    agree(lambda a, b: (jax.lax.div(a, b), jax.lax.rem(a, b), a // 3, (a - 4) % 5), a, b)
    agree(lambda n: jax.lax.fori_loop(0, n, lambda i, s: s + 100 // (n - i), 0), np.arange(9))


def test_known_integers_are_divided_like_others(numbers):
    def step(total, i):
        return total + jax.lax.div(i - 7, 2) + jax.lax.rem(i - 7, 3), None

    agree(lambda x: jax.lax.scan(step, 0, jnp.arange(12))[0].astype(float) * x, numbers)


def test_numbers_that_fit_no_integer_become_the_nearest():
    x = np.array([1e30, -1e30, np.nan, np.inf, -np.inf, 2.7, -2.7, 0.0])
    agree(lambda x: (x.astype(jnp.int32), x.astype(jnp.int64), x.astype(jnp.uint32)), x)


def test_powers_of_negative_numbers():
    x = np.array([-2.0, -2.0, -2.0, -8.0, 1.0, 1.0, -1.0, 3.0])
    y = np.array([3.0, 2.0, -1.0, 1.0 / 3.0, np.inf, np.nan, 2.0, 2.0])
    agree(lambda x, y: jnp.power(x, y), x, y)
    agree(lambda n: (n**2, jnp.sign(n - 3)), np.arange(9))


def test_equal_products_differ_by_nothing():
    """Were one of them fused with the sum, the rounding of the other would be left."""
    a, b = np.random.default_rng(8).uniform(1.0, 2.0, (2, 64))
    got = natively(lambda a, b: (a * b - b * a, -3.0 * a + 3.0 * a), a, b)
    np.testing.assert_array_equal(got, np.zeros((2, 64)))


@settings(max_examples=40)
@given(
    st.lists(
        st.floats(-1e6, 1e6, allow_nan=False).map(lambda x: x if abs(x) > 1e-6 else 1.0),
        min_size=1,
        max_size=LANES,
    )
)
def test_any_number_of_lanes_and_any_numbers(values):
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


def test_each_lane_leaves_a_loop_when_it_is_done(numbers, counts):
    agree(lambda x, n: power(x[0], n), numbers, counts, rtol=1e-13)


def test_a_loop_in_a_loop(numbers, counts):
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


def test_what_a_loop_swaps(numbers, counts):
    def function(x, n):
        return jax.lax.fori_loop(0, n, lambda _, ab: (ab[1], ab[0] + 1.0), (x[0], x[1]))

    agree(function, numbers, counts)


def test_what_a_loop_leaves_alone_is_no_part_of_it(counts):
    """A drug that nobody is given: zero at first, and its rate zero as long as it is zero."""

    def function(n):
        def step(_, state):
            drug, cells = state
            return drug - 0.1 * drug, cells * (1.0 + jnp.exp(drug.sum()))

        return jax.lax.fori_loop(0, n, step, (jnp.zeros(3), jnp.ones(())))

    agree(function, counts)
    assert program(function, counts).rooms == 3  # the turn, their number, and the cells


def test_what_changes_late_is_not_taken_for_constant(counts):
    """Each of a chain is constant as long as the one before it is."""

    def function(n):
        def step(i, chain):
            return jnp.concatenate([chain[:1] + i, chain[:-1]])

        return jax.lax.fori_loop(0, n, step, jnp.zeros(5))

    agree(function, counts)


# === indices that differ from lane to lane ======================================================


@pytest.mark.parametrize("length", [4, 60])
@pytest.mark.parametrize("shift", [-3, 0, 50])
def test_rows_are_read_and_written_at_the_index_of_each_lane(length, shift, counts):
    """Also out of range: what is read is moved into it, what is written is dropped."""
    table = np.random.default_rng(9).normal(size=(LANES, length, 2))

    def function(table, n):
        at = n + shift
        read = jnp.take(table, at, axis=0, mode="clip")
        part = jax.lax.dynamic_slice_in_dim(table, at, 3)

        def step(i, state):
            rows, notes = state
            rows = rows.at[at].set(read + i, mode="drop")
            return rows, jax.lax.dynamic_update_slice_in_dim(notes, part + i, at, 0)

        return read, part, jax.lax.fori_loop(0, n, step, (table * 1.0, jnp.zeros((length, 2))))

    agree(function, table, counts)


def test_a_long_table_that_is_changed_in_its_place_by_a_loop_in_a_loop(counts):
    def function(n):
        def inner(j, state):
            table, i = state
            return table.at[(7 * i + j) % 40].set(1.0 * i + 0.01 * j), i

        def outer(i, table):
            return jax.lax.fori_loop(0, (i + n) % 5, inner, (table, i))[0] * 1.0

        return jax.lax.fori_loop(0, n, outer, jnp.full(40, -1.0))

    agree(function, counts)


def test_an_old_table_is_read_after_it_was_changed_in_its_place(counts):
    def function(n):
        def step(i, table):
            return 0.5 * (table.at[i].set(1.0) + table[::-1])

        return jax.lax.fori_loop(0, n, step, jnp.arange(40.0))

    agree(function, counts)


def test_a_table_is_changed_or_not(counts):
    def function(n):
        def step(i, table):
            return jax.lax.cond(i % 2 == 0, lambda t: t.at[i].set(-1.0), lambda t: t + 0.5, table)

        return jax.lax.fori_loop(0, n, step, jnp.arange(40.0))

    agree(function, counts)


def test_a_table_of_the_loop_around_is_needed_again(counts):
    """It is changed for one turn only, so not in its place."""

    def function(n):
        table = jax.lax.fori_loop(
            0, n, lambda i, t: t.at[i].set(1.0 * i, mode="drop"), jnp.zeros(30)
        )

        def step(j, total):
            changed = table.at[j].set(9.0, mode="drop")
            return total + jnp.take(changed, n - j, mode="clip")

        return jax.lax.fori_loop(0, n, step, 0.0)

    agree(function, counts)


def test_a_loop_that_starts_anew_from_a_table_of_the_outermost(counts):
    def function(n):
        def inner(j, table):
            return table.at[j].set(1.0 + j, mode="drop")

        def outer(i, state):
            table, total = state
            return table + 1.0, total + jax.lax.fori_loop(0, i, inner, table).sum()

        return jax.lax.fori_loop(0, n, outer, (jnp.arange(30.0), 0.0))

    agree(function, counts)


def test_a_table_that_is_carried_twice_goes_two_ways(counts):
    def function(n):
        def inner(j, state):
            table, first = state
            return table.at[j].set(5.0, mode="drop"), first

        def outer(i, table):
            table, first = jax.lax.fori_loop(0, i, inner, (table, table[0]))
            return table + first

        return jax.lax.fori_loop(0, n, outer, jnp.arange(30.0))

    agree(function, counts)


def test_one_traced_loop_called_from_two_places(counts):
    def function(n):
        twice = jax.jit(lambda x, n: jax.lax.fori_loop(0, n, lambda _, y: 2.0 * y, x))
        return twice(0.0, n) + twice(1.0, n)

    agree(function, counts)


# === the whole ==================================================================================


def test_what_is_absent_changes_no_bit(numbers):
    """A program without some inputs, beside one with them, at zero."""
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

    lanes = x[np.arange(24) % LANES]
    whole, part = without([]), without([1, 4])
    np.testing.assert_array_equal(part(lanes), whole(lanes))


@pytest.mark.parametrize("width", [2, 4, 8])
def test_every_width_of_registers_gives_the_same_bits(width, numbers, counts, monkeypatch):
    def function(x, n):
        return power(x[0], n) + jnp.exp(x[1]) / jnp.log(2.0 + x[2] ** 2) * x.sum()

    index = np.arange(24) % LANES
    expected = program(function, numbers, counts)(numbers[index], counts[index])
    monkeypatch.setattr(machine, "register_width", lambda: width)
    got = program(function, numbers, counts)(numbers[index], counts[index])
    np.testing.assert_array_equal(got, expected)


def test_what_has_no_native_form_is_named(numbers):
    with pytest.raises(Unsupported, match="sin has no native form"):
        program(jnp.sin, numbers)
    with pytest.raises(Unsupported, match="float32"):
        program(lambda x: x.astype(jnp.float32) * 2, numbers)
    with pytest.raises(Unsupported, match="reduce has no native form"):
        program(lambda x: jax.lax.reduce(x, 0.0, lambda a, b: a + 2.0 * b, (0,)), numbers)
    with pytest.raises(Unsupported, match="int8"):
        program(lambda x: x + x, np.zeros((LANES, 2), np.int8))


# === kept programs ==============================================================================


def test_a_kept_program_is_used_again(tmp_path, numbers, monkeypatch):
    def function(x):
        return jnp.exp(x).sum()

    lanes = numbers[np.arange(24) % LANES]
    first = program(function, numbers, folder=tmp_path)(lanes)
    [file] = tmp_path.iterdir()
    monkeypatch.setattr(machine, "assembled", lambda text: pytest.fail("compiled again"))
    np.testing.assert_array_equal(program(function, numbers, folder=tmp_path)(lanes), first)
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_cannot_be_made_keeps_nothing(tmp_path, numbers):
    (tmp_path / "file").touch()
    program(jnp.exp, numbers, folder=tmp_path / "file" / "cache")


def test_another_program_is_another_file(tmp_path, numbers):
    for factor in (2.0, 3.0):
        program(lambda x, factor=factor: x * factor, numbers, folder=tmp_path)
    program(lambda x: x[:3] * 2.0, numbers, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_damaged_file_is_made_anew(tmp_path, numbers):
    lanes = numbers[np.arange(24) % LANES]
    program(jnp.exp, numbers, folder=tmp_path)
    [file] = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-100] + bytes(100))
    np.testing.assert_allclose(
        program(jnp.exp, numbers, folder=tmp_path)(lanes), np.exp(lanes), rtol=1e-15
    )
    assert file.read_bytes() == whole
