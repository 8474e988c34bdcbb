"""Traffic of T cells between blood and tissues, and margination.

T cells leave blood for tissue k at the rate k_exit, which activation of the endothelium
(margination) increases, as does a rise of CXCL10 for tumor and skin. They return at the rate that
balances the baseline before treatment. Activated and post-activated cells move faster by the factor
`mobility` in both directions. The recruitment of T cells activates the endothelium, within hours of
a dose that recruits, and the activation decays within a day. Margination after [Li2022,
Hosseini2020].

::

    recruitment of T cells --> margination
    blood --k_exit * (1 + margination) * (1 + chemotaxis)--> tissue
    blood <--return, slowed by margination-- tissue

Assumed: cells move between blood and tissues without delay, whether or not they are in contact with
targets, and a tissue without T cells before treatment receives none.

Differs from [Hosseini2020]: margination follows the recruitment of T cells, not the time since an
injection; it also slows return, and CXCL10 attracts cells. Differs from [Li2022]: tissues exchange
cells with blood, whereas there cells pass from blood through spleen, nodes and lymph in a circle.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.t_cells import TCells
from qsp.model.tissues import BLOOD
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity


class TrafficParameters(eqx.Module):
    """Rates of exchange with blood; arrays with a tissue axis are zero in blood."""

    k_exit: PerTissue = quantity(
        "1/day", "Rate of exit of T cells from blood into a tissue", dims=("tissue",)
    )
    margination: Scalar = quantity("1", "Relative increase of exit at full margination", symbol="m")
    k_on: Scalar = quantity("1/day", "Maximum rate of onset of margination")
    k_off: Scalar = quantity("1/day", "Rate of decay of margination")
    flux50: Scalar = quantity(
        "Mcell/day", "Recruitment of T cells at half-maximum onset of margination", symbol="e_{50}"
    )
    weight_recruitment: PerTissue = quantity(
        "1",
        "Share of the recruitment in a tissue that reaches the endothelium",
        dims=("tissue",),
        symbol="w_{e}",
    )
    chemotaxis: PerTissue = quantity(
        "1", "Maximum relative increase of exit by CXCL10", dims=("tissue",), symbol=r"\gamma"
    )
    EC50_CXCL10: Scalar = quantity("pg/mL", "CXCL10 at half-maximum chemotaxis")
    mobility: Scalar = quantity(
        "1",
        "Traffic of activated and post-activated T cells, relative to resting ones",
        symbol=r"\mu",
    )
    retention: Scalar = quantity(
        "1", "Relative slowing of return at full margination", symbol=r"\rho"
    )


def net_arrival(
    x: TCells,
    baseline: PerTissue,
    marginated: Scalar,
    cxcl10: Scalar,
    cxcl10_0: Scalar,
    p: TrafficParameters,
) -> TCells:
    r"""Net arrival of T cells in each tissue; the sum over blood and tissues is zero.

    k_exit is 0 in Eq. R1 and R2 for a tissue without T cells before treatment (T_0 = 0), so that
    both rates are 0 there.

    Equations:
        Eq. R1: $$k_{out,k} = k_{exit,k} (1 + m M) \left(1 + \frac{\gamma_{k} (c_{CXCL10} -
            c_{0,CXCL10})}{EC50_{CXCL10} + c_{CXCL10}}\right)$$
        Eq. R2: $$k_{back,k} = \frac{k_{exit,k}}{1 + \rho M} \cdot \frac{T_{0,blood}}{T_{0,k}}$$
        Eq. R3: $$N_{y,k} = v_{y} (k_{out,k} y_{blood} - k_{back,k} y_{k}) \quad (k \ne blood),
            \quad y \in \{R, A, X\}$$
        Eq. R4: $$N_{y,blood} = -\sum_{k \ne blood} N_{y,k}$$
        Eq. R5: $$v_{R} = 1, \quad v_{A} = v_{X} = \mu$$
        $k_{out}$ [1/day]: rate of exit from blood.
        $k_{back}$ [1/day]: rate of return to blood.
        $c_{CXCL10}$ [pg/mL]: CXCL10 in blood, `cytokines.blood`.
        $c_{0,CXCL10}$ [pg/mL]: CXCL10 before treatment, `cytokines.baseline`.
        $T_0$ [Mcell]: T cells before treatment, `t_cells.baseline`.
        $y$ [Mcell]: T cells of one state.
        $N_{y}$ [Mcell/day]: net arrival of T cells of one state.
        $v_{y}$ [1]: speed of T cells of one state.
        $v_{R}$ [1]: speed of resting T cells.
        $v_{A}$ [1]: speed of activated T cells.
        $v_{X}$ [1]: speed of post-activated T cells.

    Args:
        x: T cells.
        baseline: T cells before treatment [Mcell]; (tissue,).
        marginated: Margination, from 0 to 1.
        cxcl10: CXCL10 in blood [pg/mL].
        cxcl10_0: CXCL10 before treatment [pg/mL].
        p: Parameters.

    Returns:
        Net arrival of each state of T cells [Mcell/day]; (tissue,).
    """
    attraction = 1.0 + p.chemotaxis * (cxcl10 - cxcl10_0) / (p.EC50_CXCL10 + cxcl10)
    k_exit = jnp.where(baseline > 0.0, p.k_exit, 0.0)  # no traffic with a tissue without T cells
    k_out = k_exit * (1.0 + p.margination * marginated) * attraction
    k_back = k_exit * numerics.ratio(baseline[BLOOD], baseline) / (1.0 + p.retention * marginated)

    def net(cells: PerTissue, speed: Scalar | float) -> PerTissue:
        into_tissues = speed * (k_out * cells[BLOOD] - k_back * cells)
        return into_tissues.at[BLOOD].add(-into_tissues.sum(0))

    return TCells(
        resting=net(x.resting, 1.0),
        activated=net(x.activated, p.mobility),
        post_activated=net(x.post_activated, p.mobility),
    )


def margination_rate(marginated: Scalar, recruitment: PerTissue, p: TrafficParameters) -> Scalar:
    r"""Rate of margination M, which follows the recruitment of T cells.

    Recruitment is transient. Contacts between T cells and targets last for weeks, so that a drive
    by contact would keep T cells out of blood, whereas they return within days.

    Equations:
        Eq. R6: $$\frac{dM}{dt} = k_{on} g_{M} (1 - M) - k_{off} M$$
        Eq. R7: $$g_{M} = \frac{e}{e_{50} + e}, \quad e = \sum_{k} w_{e,k} J_{act,k}$$
        $g_{M}$ [1]: onset of margination as a share of its maximum rate.
        $e$ [Mcell/day]: recruitment that reaches the endothelium.
        $J_{act}$ [Mcell/day]: recruitment, Eq. T2, T3 or T19.

    Args:
        marginated: Margination, M, from 0 to 1.
        recruitment: Flux from resting to activated T cells [Mcell/day]; (tissue,).
        p: Parameters.

    Returns:
        Rate [1/day].
    """
    flux = (p.weight_recruitment * recruitment).sum(0)
    onset = flux / (p.flux50 + flux)
    return p.k_on * onset * (1.0 - marginated) - p.k_off * marginated
