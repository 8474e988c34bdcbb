"""One run that the tests of this folder share, so that its program is compiled once."""

import pytest

import qsp


@pytest.fixture(scope="session")
def people():
    return qsp.population("nhl").sample(6, molecule=qsp.molecule("mosunetuzumab"), seed=1)


@pytest.fixture(scope="session")
def arms():
    step = qsp.regimen(
        qsp.iv("1 mg", day=1, over="4 h", period="SUD1"),
        qsp.iv("2 mg", day=8, over="4 h", period="SUD2"),
        qsp.iv("60 mg", day=15, every="7 day", times=2, over="4 h", period="FD"),
        before=qsp.dexamethasone("20 mg", lead="1 h"),
    )
    return {"step": step, "flat": qsp.regimen(qsp.iv("60 mg", over="4 h", period="FD1"))}


@pytest.fixture(scope="session")
def run(arms, people):
    return qsp.simulate(arms, people, days=28, visits=[14, 28], progress=False)
