"""Labels, symbols and coverage of the equations in the book of the model."""

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np
import pytest

from qsp import model, system
from qsp.explain.equations import collect, functions, modules, stated, using
from qsp.explain.latex import default_symbol, key, plain, symbols, upright
from qsp.interventions import INTERVENTIONS
from qsp.model.binding import Receptors
from qsp.model.synapse import Complexes, Gap, Kinetic
from qsp.populations.paths import short
from qsp.units import declarations, is_unit
from scripts.book import probability, twins
from tests.reference import scheme

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "tests" / "reference"
OF_STRUCTURES = {
    "bridges.per_synapse",
    "bridges.cd3_drug",
    "bridges.target_drug",
    "bridges.trimer",
    "adaptation.stimulation",
    "axes.set_point",
    "axes.leak",
    *(f"lesions.{name}" for name in ("positive", "loss", "dying", "exhaustion")),
    *("lesions.new_lesions", "lesions.m_protein"),
}
"""States of structures other than the default, which `system.State` does not declare."""
STATES = {short(item.path) for item in declarations(system.State)} | OF_STRUCTURES
NO_EQUATION = {
    *("Equilibrium.initial", "Equilibrium.rates"),  # no state
    *("Plateau.initial", "Plateau.rates"),
    *("AbstractRecruitment.initial", "AbstractRecruitment.memory_rate"),
    *("Inflammation.signals", "OneAxis.signals", "TwoAxes.signals"),  # a state for each grade
}
OF_TUMOR = ("binding", "initial", "killing", "division", "rates")
CITING = {
    "Plateau.bridges",
    *("Equilibrium.bridges", "Kinetic.bridges", "Relaxed.bridges"),  # `per_synapse`, or a state
    *("Inflammation.initial", "Inflammation.rates", "Inflammation.thresholds"),
    *(f"{form}.{name}" for form in ("Pool", "Lesions") for name in OF_TUMOR),
    *("lesion_step", "lesion_course"),
}
ODES = {equation.state: equation.label for equation in collect() if equation.state}


def labels_of_the_book():
    """Labels of the equations of the model, of the probability of CRS, and of twins."""
    of_model = (equation.label for equation in collect())
    return [*of_model, *probability.equations(), *twins.equations()]


def test_labels_are_unique_and_numbered_without_gaps():
    labels = Counter(labels_of_the_book())
    assert {label for label, times in labels.items() if times > 1} == set()
    numbers: dict[str, set[int]] = {}
    for label in labels:
        numbers.setdefault(label[0], set()).add(int(label[1:]))
    assert all(each == set(range(1, max(each) + 1)) for each in numbers.values())


@pytest.mark.parametrize("module", modules())
def test_every_public_function_states_its_equations(module):
    found = {name for function, name in functions(importlib.import_module(module))}
    labeled = {
        name for function, name in functions(importlib.import_module(module)) if stated(function)[0]
    }
    assert found, "a module of the book has functions"
    assert found - labeled <= NO_EQUATION | CITING


def test_book_has_every_module_of_the_model_and_of_the_supportive_drugs():
    folders = {
        model.__name__: ROOT / "qsp" / "model",
        "qsp.interventions": ROOT / "qsp" / "interventions",
    }
    files = {
        f"{package}.{path.stem}"
        for package, folder in folders.items()
        for path in folder.glob("*.py")
        if path.stem != "__init__"
    }
    no_functions = {
        "qsp.model.tissues",
        "qsp.model.severity",
        "qsp.interventions.intervention",
    }
    assert files - no_functions == set(modules()) - set(folders)
    assert not any([*functions(importlib.import_module(name))] for name in no_functions)


def test_references_to_equations_name_an_existing_label():
    labels = set(labels_of_the_book())
    sources = [
        *(ROOT / "qsp").rglob("*.py"),
        *REFERENCE.glob("*.py"),
        *(ROOT / "docs").rglob("*.md"),
    ]
    cited = {
        label
        for path in sources
        if path.parent.name != "explain"
        for group in re.findall(r"Eq\. ((?:[A-Z]\d+(?:, )?)+)", path.read_text())
        for label in group.strip(", ").split(", ")
    }
    assert cited <= labels
    assert cited >= labels  # each is written in a docstring


def test_page_of_the_probability_of_crs_shows_its_equations():
    page, found = probability.page(), probability.equations()
    assert len(found) == page.count("<math") >= 4
    assert "$$" not in page
    assert all(f'id="eq-{label.lower()}"' in page for label in found)


def test_every_state_has_one_differential_equation():
    odes = Counter(equation.state for equation in collect() if equation.state)
    assert set(odes) == STATES
    assert set(odes.values()) == {1}


def citing_functions():
    """Functions of the reference implementations by the label of an equation that they cite."""
    citing: dict[str, set[str]] = {}
    for path in REFERENCE.glob("*.py"):
        text = path.read_text()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                body = "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno])
                for group in re.findall(r"Eq\. (.*)", body):
                    for label in re.findall(r"\b[A-Z]\d+\b", group):
                        citing.setdefault(label, set()).add(f"{path.stem}.{node.name}")
    return citing


def test_every_differential_equation_is_cited_by_one_reference_function():
    citing = citing_functions()
    assert {label: len(citing.get(label, ())) for label in ODES.values()} == dict.fromkeys(
        ODES.values(), 1
    )


def test_every_other_equation_is_cited_by_the_reference_or_evaluated_by_a_test():
    cited, evaluated = citing_functions(), (ROOT / "tests/docs/test_equations.py").read_text()
    for equation in collect():
        module = equation.module.rpartition(".")[2]
        names = {module, f"{module}.{equation.function}"}
        if equation.function in ("Relaxed.rates", "Kinetic.rates"):
            names.add(f"{module}.{{type(form).__name__}}.rates")
        by_drug = module in INTERVENTIONS  # every drug of a parametrized test
        known = by_drug or any(f'"{name}"' in evaluated for name in names)
        assert equation.label in cited or known, (equation.label, equation.function)


def test_every_symbol_has_a_unit_and_a_meaning():
    for equation in collect():
        assert equation.symbols
        for symbol in equation.symbols:
            assert symbol.meaning, (equation.label, symbol)
            assert symbol.unit == "any" or is_unit(symbol.unit), (equation.label, symbol)


def test_explained_symbols_are_used_and_their_paths_exist():
    known = STATES | {short(item.path) for item in declarations(system.Parameters)}
    units = {short(item.path): item.unit for item in declarations(system.Parameters)}
    units |= {short(item.path): item.unit for item in declarations(system.State)}
    for module in modules():
        for function, name in functions(importlib.import_module(module)):
            labeled, local = stated(function)
            used = {
                shortened
                for latex in labeled.values()
                for token in symbols(latex)
                for shortened in token.without_indices()
            }
            for symbol in local:
                assert key(symbol.latex) in used, (name, symbol)
                assert not symbol.path or symbol.path in known, (name, symbol)
                assert not symbol.path or units[symbol.path] == symbol.unit, (name, symbol)


def test_every_parameter_of_the_model_is_in_an_equation():
    paths = {short(item.path) for item in declarations(system.Parameters)}
    assert {path for path in paths if not using(path)} == set()


def test_symbol_of_a_field_follows_from_its_name():
    assert default_symbol("k_int_CD3") == "k_{int,CD3}"
    assert default_symbol("Q") == "Q"
    assert symbols(r"\frac{dC_{k}}{dt} = k_{a} \sum_{j} N_{j,k} (k \ne blood)") == [
        key("C_{k}"),
        key("k_{a}"),
        key("N_{j,k}"),
    ]


def test_plain_text_and_upright_names():
    latex = r"\frac{dA_{sc}}{dt} = F_{sc} r_{sc} - \frac{CL \, C}{V_1 + 1}"
    assert plain(latex) == "dA_sc/dt = F_sc r_sc - (CL C)/(V_1 + 1)"
    assert upright(r"\frac{dCL}{dt} = \alpha_{act,k} EC50") == (
        r"\frac{\mathrm{d}\text{CL}}{\mathrm{d}t} = \alpha_{\text{act},k} \, \text{EC50}"
    )
    assert upright("h_{kill,antigen_low,k}") == r"h_{\text{kill},\text{antigen-low},k}"


@pytest.mark.parametrize("equation", collect(), ids=lambda equation: equation.label)
def test_braces_of_equations_match(equation):
    text = equation.latex.replace(r"\{", "").replace(r"\}", "")
    assert text.count("{") == text.count("}")
    assert text.count(r"\left") == text.count(r"\right")
    assert text.count("(") == text.count(")")
    assert "{" not in plain(text)


# === equations that the twin does not cover, against their reference
# ===============================================================================================


@pytest.mark.parametrize("drug", ["siltuximab", "anakinra", "kinase_inhibitor"])
def test_supportive_drug_agrees_with_its_reference(drug):
    random = np.random.default_rng(5)
    drug = INTERVENTIONS[drug]
    names = [item.path for item in declarations(drug.parameters)]
    states = [item.path for item in declarations(drug.state)]
    p = dict(zip(names, random.uniform(0.5, 2.0, len(names)), strict=True))
    y = dict(zip(states, random.uniform(0.5, 2.0, len(states)), strict=True))
    ours = drug.rates(
        drug.state(**{name: jnp.array(value) for name, value in y.items()}),
        jnp.array(3.0),
        drug.parameters(**{name: jnp.array(value) for name, value in p.items()}),
    )
    theirs = {
        "central": lambda: {"central": scheme.antibody(y["central"], 3.0, p)},
        "depot": lambda: scheme.injected(y, 3.0, p),
        "gut": lambda: scheme.oral(y, 3.0, p),
    }[drug.entry]()
    assert set(theirs) == set(states)
    for name, value in theirs.items():
        np.testing.assert_allclose(getattr(ours, name), value, rtol=1e-12)


def test_kinetic_binding_agrees_with_its_reference():
    random = np.random.default_rng(6)
    y = {name: random.uniform(0.1, 1.0, (3, 4)) for name in ("cd3_drug", "target_drug", "trimer")}
    c, r3, rt = random.uniform(1, 9, 4), random.uniform(5, 9, 4), random.uniform(5, 9, (3, 4))
    p = {"K3": 40.0, "KT": 7.0, "alpha": 0.3, "off3": 12.0, "offT": 5.0}
    gap = Gap(
        receptors=Receptors(cd3=jnp.asarray(r3), target=jnp.asarray(rt)),
        free=jnp.asarray(c),
        K_T=jnp.asarray(p["KT"]),
    )
    ours = Kinetic().rates(
        Complexes(**{name: jnp.asarray(value) for name, value in y.items()}),
        gap,
        SimpleNamespace(KD_CD3=p["K3"]),
        SimpleNamespace(alpha=p["alpha"], k_off_CD3=p["off3"], k_off_target=p["offT"]),
    )
    for name, value in scheme.reactions(y, c, r3, rt, p).items():
        np.testing.assert_allclose(getattr(ours, name), value, rtol=1e-12)
