"""The equations of the book give the numbers of the code, function by function."""

import dataclasses
import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from qsp import model
from qsp.explain.equations import collect, declared_symbols
from qsp.explain.latex import Key, key
from qsp.interventions import INTERVENTIONS, effects, supportive_rates
from qsp.model import (
    axes,
    binding,
    cytokines,
    disposition,
    engagement,
    interleukin1,
    lesion_map,
    lesion_measures,
    lesions,
    release,
    synapse,
    t_cells,
    targets,
    temperature,
    traffic,
)
from qsp.model.synapse import Kinetic, Relaxed
from qsp.model.tumors import Lesions
from qsp.run.structure import REFINEMENTS
from qsp.system import DOSE_KINDS, System
from tests.docs.latex_value import Evaluator, derivative, solve
from tests.model.patient import busy, complete

NOT_EVALUATED = {
    "model": "the sums of other equations; tests/behavior/test_mass_balance.py",
    "effects": "constants",
    "numerics": "guards; tests/docs/test_guards.py",
    "tolerance": "tolerances of the solver",
    "interventions": "the drugs together; tests/behavior/test_supportive.py",
    "disposition.central_after_bolus": "an implicit equation; tests/model/test_disposition.py",
    "axes.OneAxis.thresholds": "random effects; tests/model/test_axes.py",
}
INITIAL = ("baseline", "initial")


def symbols(*modules, **values):
    """Values of the declared symbols of Modules, and of symbols given by name.

    A name is that of the symbol with its subscript after the first underscore.
    """
    found = {}
    for module in modules:
        for symbol in declared_symbols(type(module)):
            field = next(
                name
                for name, each in type(module).__dataclass_fields__.items()
                if each.metadata.get("meaning") == symbol.meaning
            )
            found[key(symbol.latex)] = np.asarray(getattr(module, field))
    for name, value in values.items():
        head, *rest = name.split("_")
        found[Key(head, tuple(rest))] = np.asarray(value, float)
    return found


def of(function):
    """Equations of a function, as MODULE.FUNCTION."""
    module, _, name = function.partition(".")
    found = [
        each.latex
        for each in collect()
        if each.module.rpartition(".")[2] == module and each.function == name
    ]
    assert found, function
    return found


def agree(function, known, expected):
    """Check the equations of a function; a derivative is expected under ``d X``."""
    values = solve(of(function), known)
    for where, value in expected.items():
        np.testing.assert_allclose(
            np.broadcast_to(np.squeeze(values[where]), np.shape(value))
            if np.ndim(value)
            else np.squeeze(values[where]),
            value,
            rtol=1e-6,
            atol=1e-9 * np.abs(value).max(initial=0.0),
            err_msg=f"{function}: {where}",
        )


def rates(module):
    """Derivatives under the symbols of a state."""
    return {derivative(where): value for where, value in symbols(module).items()}


@pytest.fixture(scope="module")
def at(double_precision):
    """A patient with every process active, in a random state under supportive drugs."""
    p, system = complete(), System()
    x = busy(p, system, np.random.default_rng(3))
    now = effects(x.supportive, p.supportive)
    return p, x, now, model.algebraic(x.model, p.model, system.structure)


def test_disposition(at):
    p, x, _, a = at
    d, b, volume = p.model.disposition, p.model.binding, p.model.tissues
    time = jnp.asarray(9.0)
    cl = disposition.clearance(time, d)
    agree("disposition.clearance", symbols(d, t=time), {Key("CL"): cl})
    dosing = disposition.Dosing(jnp.asarray(5.0), jnp.asarray(7.0), jnp.asarray(90.0))
    random = np.random.default_rng(4)
    gained, died = (
        binding.Receptors(
            jnp.asarray(random.uniform(0, 1, 4)), jnp.asarray(random.uniform(0, 1, (3, 4)))
        )
        for _ in range(2)
    )
    ours = disposition.drug_rates(
        time,
        x.model.drug,
        dosing,
        a.bulk,
        a.receptors,
        disposition.Turnover(gained, died),
        d,
        b,
        volume,
    )
    receptors = {"G_CD3": gained.cd3, "G_target": gained.target}
    receptors |= {"H_CD3": died.cd3, "H_target": died.target}
    known = symbols(x.model.drug, dosing, a.bulk, a.receptors, d, b, volume, CL=cl, **receptors)
    agree("disposition.drug_rates", known, rates(ours))
    bound = disposition.drug_on_receptors(a.bulk, a.receptors)
    agree("disposition.drug_on_receptors", symbols(a.bulk, a.receptors), {Key("B"): bound})
    total = disposition.total_drug(x.model.drug, a.bulk, d, volume)
    outer = np.asarray(volume.volume.at[0].set(d.V1))
    known = symbols(x.model.drug, a.bulk, d, volume, W=outer)
    agree("disposition.total_drug", known, {Key("A", ("total",)): total})


def test_binding(at):
    p, x, _, a = at
    b, o = p.model.binding, x.model.drug.competitor
    b = dataclasses.replace(b, valency=jnp.asarray(2.0))
    cells, n = x.model.t_cells.total, x.model.targets.viable
    found = binding.receptors(cells, n, b, p.model.tissues)
    agree("binding.receptors", symbols(b, p.model.tissues, T=cells, N=n), symbols(found))
    gap = binding.gap_receptors(b)
    in_gap = {"r_CD3": gap.cd3[0], "r_target": gap.target}
    agree("binding.gap_receptors", symbols(b), symbols(**in_gap))
    arm = binding.arm_affinity(o, b)
    agree("binding.arm_affinity", symbols(b, O=o), {Key("K", ("T",)): arm})
    gain = binding.avidity(arm, b)
    agree("binding.avidity", symbols(b, K_T=arm, r_target=gap.target), {Key("g"): gain})
    soluble, s = x.model.drug.soluble, x.model.drug.soluble_target
    free = binding.free_drug(soluble, s, b)
    root, implicit = of("binding.free_drug")[1], of("binding.free_drug")[0]
    found = solve([root], symbols(b, C=soluble, s=s))
    np.testing.assert_allclose(found[Key("c")], free, rtol=1e-10)
    left = free + free * s / (b.KD_soluble + free)
    assert r"\frac{c_{k} s_{k}}{K_{D,soluble} + c_{k}} = C_{k}" in implicit
    np.testing.assert_allclose(left, soluble, rtol=1e-10)
    ours = binding.bulk(soluble, s, o, a.receptors, b)
    known = symbols(b, a.receptors, C=soluble, s=s, K_T=arm, g=gain, c=ours.free)
    agree("binding.bulk", known, symbols(ours))


@pytest.mark.parametrize("valency", [1.0, 2.0])
def test_synapse(at, valency):
    p, x, _, a = at
    b, s = dataclasses.replace(p.model.binding, valency=jnp.asarray(valency)), p.model.synapse
    gap = synapse.contact_gap(a.bulk.free, x.model.drug.competitor, b)
    agree("synapse.contact_gap", symbols(c=a.bulk.free), symbols(c_gap=gap.free))
    in_gap = {"r_CD3": gap.receptors.cd3[0], "r_target": gap.receptors.target}
    tri = np.asarray(synapse.trimers(gap, s.alpha, b, refinements=40))
    known = symbols(b, s, c=gap.free, K_T=gap.K_T, **in_gap)
    # The free target solves Eq. S5; at this value, Eq. S2 gives the trimers of the code.
    two = (valency - 1.0) * b.chi / gap.K_T
    t = np.asarray(gap.receptors.target)
    for _ in range(4000):
        c = gap.free
        v = 1 + c / gap.K_T * (valency + 2 * two * t)
        m = (valency + 2 * two * t) / (valency + two * t)
        t = np.asarray(0.5 * (t + (gap.receptors.target - m * tri) / v))
    equations = of("synapse.trimers")
    values = solve(equations[:3], {**known, Key("t"): t})
    np.testing.assert_allclose(values[Key("X", ("tri",))], tri, rtol=1e-6)
    again = solve(equations[3:], {**values})
    np.testing.assert_allclose(again[Key("t")], t, rtol=1e-6)
    number = synapse.per_synapse(jnp.asarray(tri), b, s)
    agree("synapse.per_synapse", symbols(b, s, X_tri=tri), {Key(r"\beta"): number})


def test_iteration_for_two_arms_is_that_of_the_text(at):
    p, x, _, a = at
    b, s = dataclasses.replace(p.model.binding, valency=jnp.asarray(2.0)), p.model.synapse
    gap = synapse.contact_gap(a.bulk.free, x.model.drug.competitor, b)
    r = np.asarray(gap.receptors.target)
    c, K_T, n = np.asarray(gap.free), float(gap.K_T), 2.0
    in_gap = {"r_CD3": gap.receptors.cd3[0], "r_target": r}
    known = symbols(b, s, c=c, K_T=K_T, **in_gap)
    words = " ".join((synapse.trimers.__doc__ or "").split())
    start = re.search(r"``t = (.*?)`` with ``b = (.*?)``", words)
    assert start is not None
    assert start.groups() == (
        "2 r_target / (b + sqrt(b^2 + 8 kappa (c/K_T) r_target))",
        "1 + n c/K_T",
    )
    assert f"{REFINEMENTS} in a simulation" in words

    def at_free(t):
        found = solve(of("synapse.trimers")[:3], {**known, Key("t"): t})
        back = solve(of("synapse.trimers")[3:], {**found, Key("t"): t})
        return found[Key("X", ("tri",))], back[Key("t")]

    base, kappa = 1 + n * c / K_T, (n - 1) * float(b.chi) / K_T
    t = 2 * r / (base + np.sqrt(base**2 + 8 * kappa * c / K_T * r))
    tri, new = at_free(t)
    for _ in range(REFINEMENTS):
        tri, new = at_free(np.sqrt(t * new))
        t = np.sqrt(t * new)
    ours = synapse.trimers(gap, s.alpha, b, refinements=REFINEMENTS)
    np.testing.assert_allclose(ours, tri, rtol=1e-9)


def test_dynamic_bridges(at):
    p, _, _, a = at
    b, s = p.model.binding, p.model.synapse
    for form in (Relaxed(), Kinetic()):
        state = busy(p, System(model.ModelStructure(synapse=form)), np.random.default_rng(8)).model
        gap = synapse.contact_gap(a.bulk.free, state.drug.competitor, b)
        receptors = {"r_CD3": gap.receptors.cd3[0], "r_target": gap.receptors.target}
        known = symbols(state.bridges, b, s, c=gap.free, K_T=gap.K_T, **receptors)
        known[Key(r"\beta", ("eq",))] = np.asarray(synapse.Equilibrium().bridges(None, gap, b, s))
        ours = form.rates(state.bridges, gap, b, s)
        agree(f"synapse.{type(form).__name__}.rates", known, rates(ours))


def test_drug_of_the_plateau(at):
    p, x, _, a = at
    gap = synapse.contact_gap(a.bulk.free, x.model.drug.competitor, p.model.binding)
    K_app = gap.K_T / binding.avidity(gap.K_T, p.model.binding)
    limited = synapse.limited_drug(gap.free, K_app, p.model.binding)
    known = symbols(p.model.binding, c=gap.free, K_app=K_app)
    agree("synapse.limited_drug", known, symbols(c_plateau=limited))


def test_kinetic_bridges_start_at_zero(at):
    start = Kinetic().initial(at[0].model.binding)
    assert of("synapse.Kinetic.initial")[0].endswith("= 0")
    assert all(np.all(np.asarray(value) == 0.0) for value in symbols(start).values())


def test_engagement(at):
    p, x, _, a = at
    e, s, n = p.model.engagement, p.model.synapse, x.model.targets.viable
    kill = engagement.killing_per_contact(a.bridges, s)
    bridges = {Key(r"\beta"): np.asarray(a.bridges)}
    agree("engagement.killing_per_contact", symbols(s) | bridges, symbols(h_kill=kill))
    reach = t_cells.within_reach(x.model.t_cells, p.model.t_cells).total
    known = symbols(e, s, N=n, T_reach=reach, h_kill=kill) | bridges
    agree("engagement.contact", known, symbols(a.contact))
    cells = x.model.t_cells
    known = symbols(e, N=n, h_kill=kill, A=cells.activated, X=cells.post_activated)
    agree("engagement.killing", known, symbols(J_kill=a.killing))


def test_t_cells(at):
    p, x, now, a = at
    q, cells = p.model.t_cells, x.model.t_cells
    reach = t_cells.within_reach(cells, q)
    known = symbols(q, cells)
    agree("t_cells.within_reach", known, symbols(R_reach=reach.resting, T_reach=reach.total))
    rate = q.k_act * q.f_act * (1.0 - q.steroid_act * now.steroid)
    flux = t_cells.MassAction()(reach, a.contact, rate, q)
    known = symbols(a.contact, a=rate, R_reach=reach.resting)
    agree("t_cells.MassAction.__call__", known, symbols(J_act=flux))
    contact = dataclasses.replace(a.contact, stimulation=jnp.asarray([0.9, 0.6, 0.5, 0.45]))
    memory = t_cells.Adapted(jnp.asarray([0.2, 0.7, 0.1, 0.3]))
    adapting = t_cells.Adaptation()
    flux = adapting(reach, contact, rate, q, memory)
    known = symbols(contact, memory, a=rate, R_reach=reach.resting)
    agree("t_cells.Adaptation.__call__", known, symbols(J_act=flux))
    found = rates(adapting.memory_rate(memory, contact, q))
    agree("t_cells.Adaptation.memory_rate", symbols(q, contact, memory), found)
    threshold = t_cells.Threshold()(reach, contact, rate, q)
    *recruited, smooth = of("t_cells.Threshold.__call__")
    known = symbols(q, cells, contact, a=rate, R_reach=reach.resting, T_reach=reach.total)
    body = smooth.replace(r"\left", "").replace(r"\right", "").partition("=")[2]
    known[Key("f")] = lambda x: Evaluator(body, {**known, Key("x"): x}).value()
    found = solve(recruited, known)
    np.testing.assert_allclose(found[Key("J", ("act",))], threshold, rtol=1e-6)
    fluxes = t_cells.t_cell_fluxes(cells, a.contact, now, t_cells.Threshold(), q)
    known = symbols(q, cells, a.contact, now)
    expected = symbols(fluxes)
    del expected[Key("J", ("act",))]
    agree("t_cells.t_cell_fluxes", known, expected)
    net = t_cells.TCells(*(jnp.asarray([1.0, 2.0, -4.0, 1.0]) * k for k in (1.0, 2.0, 3.0)))
    arrival = {"N_R": net.resting, "N_A": net.activated, "N_X": net.post_activated}
    ours = t_cells.t_cell_rates(fluxes, net)
    agree("t_cells.t_cell_rates", symbols(fluxes, **arrival), rates(ours))


def test_adaptation_starts_at_zero(at):
    start = t_cells.Adaptation().initial(at[0].model.t_cells)
    assert of("t_cells.Adaptation.initial")[0].endswith("= 0")
    assert np.all(np.asarray(start.stimulation) == 0.0)


def test_traffic(at):
    p, x, _, _ = at
    q, m = p.model.traffic, x.model
    base, c0, c = p.model.t_cells.baseline, p.model.cytokines.baseline[5], m.cytokines.blood[5]
    ours = traffic.net_arrival(m.t_cells, base, m.margination, c, c0, q)
    known = symbols(q, M=m.margination, c_CXCL10=c, c_0_CXCL10=c0, T_0=base)
    for cells, found, speed in (
        (m.t_cells.resting, ours.resting, 1.0),
        (m.t_cells.activated, ours.activated, q.mobility),
        (m.t_cells.post_activated, ours.post_activated, q.mobility),
    ):
        agree("traffic.net_arrival", {**known, **symbols(y=cells, v_y=speed)}, symbols(N_y=found))
    flux = jnp.asarray([300.0, 2000.0, 500.0, 80.0])
    found = traffic.margination_rate(m.margination, flux, q)
    known = symbols(q, M=m.margination, J_act=flux)
    agree("traffic.margination_rate", known, {derivative(Key("M")): found})


def test_targets(at):
    p, x, _, a = at
    q, n, o = p.model.targets, x.model.targets, x.model.drug.competitor
    growth = targets.growth_per_cell(n.viable, q)
    agree("targets.growth_per_cell", symbols(q, n), symbols(g_growth=growth))
    fluxes = targets.target_fluxes(n, a.killing, o, q)
    expected = symbols(fluxes)
    known = symbols(q, n, O=o, J_depletion=np.zeros((3, 4)))
    given = {Key("J", ("kill",))}
    agree("targets.target_fluxes", known, {k: v for k, v in expected.items() if k not in given})
    agree("targets.target_rates", symbols(fluxes), rates(targets.target_rates(fluxes)))
    volume = targets.tumor_volume(n, q)
    agree("targets.tumor_volume", symbols(q, n), symbols(V_tumor=volume))


def test_lesions(at):
    p, _, _, _ = at
    q, e, t = p.model.lesions, p.model.engagement, p.model.targets
    structure = model.ModelStructure(tumor=Lesions(3, m_protein=True))
    state = busy(p, System(structure), np.random.default_rng(6)).model
    x, a = state.lesions, model.algebraic(state, p.model, structure)
    copies = lesions.loss_clone_copies(p.model.binding, q)
    agree("lesions.loss_clone_copies", symbols(q, p.model.binding), symbols(n_loss=copies))
    s, rate, factor = (lesions.share(q.weight[:3]), q.k_kill[:3], q.growth_factor[:3])
    agree("lesions.share", symbols(w=q.weight[:3]), symbols(s=s))
    known = symbols(x, q, e, a.attack, s=s, k_kill=rate)
    known[Key("E")] = np.asarray(a.attack.effectors)[2]
    killed = lesions.lesion_killing(x, s, rate, a.attack, q, e)
    effectors, *others = of("lesions.lesion_killing")
    fraction, own = effectors.split(r", \quad")
    in_lesion = {Key("E"): solve([own.replace("E_{tumor}", "E")], known)[Key("E")]}
    found = solve([fraction, *others], {**known, **in_lesion})
    for where, value in symbols(killed).items():
        np.testing.assert_allclose(found[where], value, rtol=1e-9)
    growth = targets.growth_per_cell(state.targets.viable, t)
    [body] = of("lesions.dividing")
    body = body.replace(r"\left", "").replace(r"\right", "").partition("=")[2]
    known = symbols(x, killed, q, t, g_growth=growth) | {Key(r"\gamma"): np.asarray(factor)}
    known[Key("f")] = lambda cells: Evaluator(body, {**known, Key("x"): cells}).value()
    found = lesions.lesion_rates(x, killed, growth, factor, t, q)
    names = ("N_pos", "N_loss", "D_lesion")
    expected = symbols(**dict(zip(names, found, strict=True)))
    agree("lesions.lesion_rates", known, {derivative(k): v for k, v in expected.items()})
    known = symbols(x, q, e, a.attack, s=s)
    found = lesions.exhaustion_rate(x, s, a.attack, q, e)
    agree("lesions.exhaustion_rate", known, {derivative(Key(r"\xi")): found})
    agree("lesions.division", known, {Key(r"\zeta"): lesions.division(x, s)})
    b = lesion_measures.burden(state.targets, t)
    agree("lesion_measures.burden", symbols(state.targets, t), symbols(b=b))
    known = symbols(x, q, b=b)
    agree(
        "lesion_measures.new_lesion_rate",
        known,
        {derivative(Key("H", ("new",))): lesion_measures.new_lesion_rate(b, q)},
    )
    found = lesion_measures.m_protein_rate(x.m_protein, b, q)
    agree("lesion_measures.m_protein_rate", known, {derivative(Key("M", ("P",))): found})
    known = symbols(x, t)
    agree(
        "lesion_measures.lesion_volumes",
        known,
        symbols(V_lesion=lesion_measures.lesion_volumes(x, t)),
    )
    agree(
        "lesion_measures.viable_volumes",
        known,
        symbols(V_viable=lesion_measures.viable_volumes(x, t)),
    )
    found = {Key(r"\phi", ("loss",)): lesion_measures.loss_fractions(x)}
    agree("lesion_measures.loss_fractions", known, found)


def test_lesion_map(at):
    p, _, _, _ = at
    structure = model.ModelStructure(tumor=Lesions(3))
    state = busy(p, System(structure), np.random.default_rng(7)).model
    x, q, t = state.lesions, p.model.lesions, p.model.targets
    attack, days, step = model.algebraic(state, p.model, structure).attack, 7.0, jnp.asarray(0.6)
    held = lesion_map.held_attack(attack, jnp.asarray(days))
    known = symbols(Y=attack.effectors, I=days)
    agree("lesion_map.held_attack", known, symbols(y_mean=held.effectors))
    rate = jnp.asarray([-0.4, 0.0, 0.02])
    found = lesion_map.grown(x.positive, rate, step)
    agree("lesion_map.grown", symbols(N=x.positive, r=rate, h=step), symbols(N_after=found))
    found = lesion_map.exhausted(x.exhaustion, -0.3 * rate, q.k_recover, step)
    known = symbols(x, q, e=-0.3 * rate, h=step)
    agree("lesion_map.exhausted", known, {Key(r"\xi", ("after",)): found})
    found = lesion_map.cleared(x.dying, 5.0 - rate, t.k_clear, step)
    agree("lesion_map.cleared", symbols(x, t, J=5.0 - rate, h=step), symbols(D_after=found))


def test_release_and_cytokines(at):
    p, x, now, a = at
    r, c, m = p.model.release, p.model.cytokines, x.model
    secreting = release.secretion(m.t_cells.activated, a.contact.touching, r)
    known = symbols(r, A=m.t_cells.activated, p=a.contact.touching)
    agree("release.secretion", known, symbols(S=secreting))
    rise = m.cytokines.blood - c.baseline
    eta_release = release.release_factor(now, r)
    known = symbols(r, now)
    agree("release.release_factor", known, {Key(r"\eta", ("release",)): eta_release})
    f_m = model.memory_correction(eta_release)
    known = {Key(r"\eta", ("release",)): np.asarray(eta_release)}
    agree("model.memory_correction", known, symbols(f_m=f_m))
    ours = release.release_rates(m.release, secreting, rise[4], now, r, f_m)
    known = symbols(m.release, r, now, S=secreting, f_m=f_m)
    known[Key(r"\eta", ("release",))] = np.asarray(eta_release)
    known[Key(r"\Delta", ("IL10",))] = np.asarray(rise[4])
    agree("release.release_rates", known, rates(ours))
    eta = cytokines.steroid_factor(now, c)
    agree("cytokines.steroid_factor", symbols(c, now), {Key(r"\eta"): eta})
    factor = interleukin1.il6_factor(now.il1r_free, c.share_IL1)
    known = symbols(now, share_IL1=c.share_IL1)
    agree("interleukin1.il6_factor", known, symbols(f_IL6=factor))
    il1 = interleukin1.il1(m.cytokines.myeloid * eta, p.model.interleukin1)
    known = symbols(p.model.interleukin1, m.cytokines) | {Key(r"\eta"): np.asarray(eta)}
    agree("interleukin1.il1", known, symbols(IL1=il1))
    z = m.release.transit_2
    known = symbols(m.cytokines, c, now, z_2=z, f_IL6=factor, P=np.zeros(6), L=np.zeros(6))
    known |= symbols(f_m=f_m)
    known[Key(r"\eta")] = np.asarray(eta)
    ours = cytokines.cytokine_rates(m.cytokines, z, now, c, f_m)
    agree("cytokines.cytokine_rates", known, rates(ours))


def test_fever_and_leak(at):
    p, x, now, _ = at
    form, x = axes.TwoAxes(), x.model
    c, v = p.model.cytokines, dataclasses.replace(p.model.severity, capacity=jnp.asarray(1.7))
    blood = {"c": x.cytokines.blood, "c_0": c.baseline}
    rise = axes.rises(x.cytokines.blood, c.baseline, now, v)
    signals = {"y_IL6": rise.il6, "y_TNF": rise.tnf, "y_IFN": rise.ifn}
    agree("axes.rises", symbols(v, now, **blood), symbols(**signals))
    steady, leak = axes.fever_drive(rise, v), axes.leak_drive(rise, v)
    agree("axes.fever_drive", symbols(v, **signals), symbols(Y=steady))
    agree("axes.leak_drive", symbols(v, **signals), symbols(G=leak))
    fever = axes.fever(x.severity, x.axes)
    agree("axes.fever", symbols(x.axes, F=x.severity), symbols(x=fever))
    d_index, d_axes = form.rates(x.severity, x.axes, x.cytokines.blood, c.baseline, now, v)
    known = symbols(v, x.axes, F=x.severity, Y=steady, G=leak)
    d_set_point = {derivative(Key("B")): d_axes.set_point}
    agree("axes.OneAxis.rates", known, {derivative(Key("F")): d_index} | d_set_point)
    agree("axes.TwoAxes.rates", known, {derivative(Key("W")): d_axes.leak})
    rise = temperature.temperature_rise(fever, jnp.asarray(0.4))
    known = symbols(x=fever) | {Key(r"\theta", ("1",)): np.asarray(0.4)}
    agree("temperature.temperature_rise", known, {Key(r"\Delta", ("temp",)): rise})


@pytest.mark.parametrize("name", INTERVENTIONS)
def test_supportive_drugs(at, name):
    p, x, _, _ = at
    drug = INTERVENTIONS[name]
    q, y = getattr(p.supportive, name), getattr(x.supportive, name)
    dosing = dict.fromkeys(DOSE_KINDS, jnp.asarray(11.0))
    ours = getattr(supportive_rates(x.supportive, dosing, p.supportive), name)
    agree(f"{name}.{drug.rates.__name__}", symbols(q, y, r=11.0), rates(ours))
    effect = drug.effect(y, q)
    [where] = [key(s.latex) for s in declared_symbols(model.Effects) if s.latex and _is(s, drug)]
    agree(f"{name}.{drug.effect.__name__}", symbols(q, y), {where: effect})


def _is(symbol, drug):
    field = model.Effects.__dataclass_fields__[drug.acts_on]
    return symbol.meaning == field.metadata["meaning"]


def test_every_other_function_is_evaluated_here():
    text = Path(__file__).read_text()
    for equation in collect():
        module = equation.module.rpartition(".")[2]
        name = f"{module}.{equation.function}"
        left_out = module in NOT_EVALUATED or name in NOT_EVALUATED or name.endswith(INITIAL)
        by_drug = module in INTERVENTIONS
        by_form = name in ("synapse.Relaxed.rates", "synapse.Kinetic.rates")
        assert left_out or by_drug or by_form or f'"{name}"' in text, name
