"""Conversion of text with a unit to a number, and units declared by the model."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qsp import model, units
from qsp.errors import ConfigError, UnitError
from qsp.model.synapse import Bridges, Complexes
from qsp.model.t_cells import TCellFluxes
from qsp.model.targets import TargetFluxes
from qsp.system import Parameters, State
from qsp.units import declarations, dimensions, is_unit, parse, rescaling

DECLARING = (
    Parameters,
    State,
    model.Algebraic,
    model.Dosing,
    Bridges,
    Complexes,
    TCellFluxes,
    TargetFluxes,
)
CANONICAL = sorted({item.unit for kind in DECLARING for item in declarations(kind)})


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.5 L/hour", "L/day", 12.0),
        ("1 mg", "mg", 1.0),
        ("60 ug", "mg", 0.06),
        ("60 µg", "mg", 0.06),
        ("2 h", "day", 2 / 24),
        ("1 week", "day", 7.0),
        ("31 %", "1", 0.31),
        ("0.31", "1", 0.31),
        ("40 nmol/L", "nmol/L", 40.0),
        ("40 pmol/mL", "nmol/L", 40.0),
        ("4e9 cell", "Mcell", 4000.0),
        ("5 Mcell", "Mcell", 5.0),
        ("1e5 molecule/cell", "molecule/cell", 1e5),
        ("3 ng/mL", "pg/mL", 3000.0),
        ("15 nm^2", "um^2", 1.5e-5),
        (" -7 day ", "day", -7.0),
        ("+.5e1 day", "day", 5.0),
        ("5. day", "day", 5.0),
        ("5ug/kg", "mg/kg", 0.005),
    ],
)
def test_reads_a_number_with_a_unit(text, unit, value):
    assert parse(text, unit, where="file: key") == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(("written", "unit"), units._USUAL)
def test_factors_of_usual_units_are_those_of_pint(written, unit):
    found = units._factor(written, unit, where="", got="")
    assert found == units._converted(written, unit, where="", got="")


@pytest.mark.parametrize("unit", CANONICAL)
def test_a_canonical_unit_has_the_factor_of_pint(unit):
    assert units._factor(unit, unit, where="", got="") == 1.0
    assert units._converted(unit, unit, where="", got="") == 1.0


MESSAGES = {
    "no unit": (
        ("5", "L/day"),
        "a.toml: CL: the value must have a unit (L/day), but is '5'. Write \"5 L/day\".",
    ),
    "wrong dimension": (
        ("5 mg", "L/day"),
        "a.toml: CL: the value must have the dimension of L/day, but is '5 mg'. "
        "mg cannot be converted to L/day.",
    ),
    "unit of a dimensionless value": (
        ("5 mg", "1"),
        "a.toml: CL: the value must have the dimension of 1, but is '5 mg'. "
        "mg cannot be converted to 1.",
    ),
    "unknown unit": (
        ("5 litters", "L"),
        "a.toml: CL: the value must have a unit like L, but is '5 litters'.",
    ),
    "not a number but a word": (
        ("high", "L/day"),
        "a.toml: CL: the value must be a number with a unit of L/day, but is 'high'. "
        'Write a number and a unit in quotes, such as "1 L/day".',
    ),
    "number without quotes": (
        (5, "L/day"),
        "a.toml: CL: the value must be a number with a unit of L/day, but is 5. "
        'Write a number and a unit in quotes, such as "1 L/day".',
    ),
    "empty text": (
        ("", "mg"),
        "a.toml: CL: the value must be a number with a unit of mg, but is ''. "
        'Write a number and a unit in quotes, such as "1 mg".',
    ),
    "two numbers": (
        ("5 6 mg", "mg"),
        "a.toml: CL: the value must have a unit like mg, but is '5 6 mg'.",
    ),
    "too large": (
        ("1e999 mg", "mg"),
        "a.toml: CL: the value must be finite, but is '1e999 mg'.",
    ),
    "not a number": (
        ("nan mg", "mg"),
        "a.toml: CL: the value must be a number with a unit of mg, but is 'nan mg'. "
        'Write a number and a unit in quotes, such as "1 mg".',
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_error_message(case):
    arguments, message = MESSAGES[case]
    with pytest.raises(UnitError) as error:
        parse(*arguments, where="a.toml: CL")
    assert str(error.value) == message
    assert isinstance(error.value, ConfigError)
    assert isinstance(error.value, ValueError)


def test_error_names_the_place_of_each_value():
    for where in ("a.toml: CL", "b.toml: V1"):
        with pytest.raises(UnitError, match=f"^{where}: "):
            parse("5 mg", "L", where=where)


@given(
    value=st.floats(-1e12, 1e12),
    pair=st.sampled_from(
        [
            ("L/hour", "L/day"),
            ("ug", "mg"),
            ("week", "day"),
            ("pmol/L", "nmol/L"),
            ("cell", "Mcell"),
        ]
    ),
)
def test_conversion_and_its_inverse_give_the_same_number(value, pair):
    given_unit, canonical = pair
    converted = parse(f"{value!r} {given_unit}", canonical, where="w")
    back = parse(f"{converted!r} {canonical}", given_unit, where="w")
    assert back == pytest.approx(value, rel=1e-14)


@given(value=st.floats(-1e300, 1e300), unit=st.sampled_from(CANONICAL))
def test_a_value_in_the_canonical_unit_is_unchanged(value, unit):
    text = repr(value) if unit == "1" else f"{value!r} {unit}"
    assert parse(text, unit, where="w") == value


@pytest.mark.parametrize("unit", CANONICAL)
def test_every_declared_unit_is_a_unit(unit):
    assert is_unit(unit)


def test_an_unknown_unit_is_not_a_unit():
    assert not is_unit("L/dya")


def test_declarations_list_every_quantity_once():
    items = list(declarations(Parameters))
    paths = [item.path for item in items]
    assert len(paths) == len(set(paths)) > 100
    found = {item.path: item for item in items}
    assert found["model.disposition.CL_ss"].unit == "L/day"
    assert found["model.binding.copies_target"].dims == ("kind", "tissue")
    assert found["supportive.tocilizumab.K_ss"].unit == "mg/L"
    assert all(item.meaning and item.meaning[0].isupper() for item in items)


def test_each_dimension_has_one_declared_unit():
    """One canonical unit for a dimension, so that numbers need no factor between equations."""
    allowed = {
        # a parameter that is the conversion factor
        frozenset({"nmol*cell/Mcell/molecule"}),
    }
    by_dimension = {}
    for unit in CANONICAL:
        by_dimension.setdefault(tuple(sorted(dimensions(unit).items())), set()).add(unit)
    twice = {frozenset(units) for units in by_dimension.values() if len(units) > 1} - allowed
    # cytokines in pg/mL, supportive drugs in mg/L and M-protein in g/L are never added
    assert twice == {frozenset({"g/L", "mg/L", "pg/mL"})}


def test_dimensions_are_exponents_of_base_dimensions():
    assert dimensions("L/day") == {"[length]": 3.0, "[time]": -1.0}
    assert dimensions("molecule/cell") == {"[molecule]": 1.0, "[cell]": -1.0}
    assert dimensions("1") == {}


def test_rescaling_multiplies_the_factors_of_the_base_units():
    factors = {"[length]": 2.0, "[time]": 5.0, "[cell]": 3.0}
    assert rescaling("L/day", factors) == pytest.approx(8.0 / 5.0)
    assert rescaling("Mcell*day", factors) == pytest.approx(15.0)
    assert rescaling("mg", factors) == 1.0
    assert rescaling("1", factors) == 1.0


@given(
    factors=st.fixed_dictionaries(
        {base: st.floats(0.1, 10.0) for base in ("[time]", "[length]", "[substance]", "[cell]")}
    ),
    unit=st.sampled_from(CANONICAL),
)
def test_rescaling_and_its_inverse_cancel(factors, unit):
    inverse = {base: 1.0 / factor for base, factor in factors.items()}
    assert rescaling(unit, factors) * rescaling(unit, inverse) == pytest.approx(1.0, rel=1e-12)
    per_day = rescaling(f"({unit})/day", factors) if unit != "1" else rescaling("1/day", factors)
    assert per_day == pytest.approx(rescaling(unit, factors) / factors["[time]"], rel=1e-12)


def test_conversion_covers_the_range_of_float64():
    assert parse("1e-300 mg", "mg", where="w") == 1e-300
    assert math.isfinite(parse("1e300 L/hour", "L/day", where="w"))
