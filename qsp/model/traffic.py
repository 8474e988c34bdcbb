"""Traffic of T cells between blood and tissues, and margination.

T cells leave blood for tissue k at the rate k_exit, which activation of the endothelium
(margination) increases, as does a rise of CXCL10 for tumor and skin. They return at the rate that
balances the baseline before treatment. Activated and post-activated cells move faster by the factor
`mobility` in both directions. Margination after [Li2022, Hosseini2020].
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
    margination: Scalar = quantity("1", "Relative increase of exit at full margination")
    k_on: Scalar = quantity("1/day", "Maximum rate of onset of margination")
    k_off: Scalar = quantity("1/day", "Rate of decay of margination")
    S50: Scalar = quantity("Mcell", "Release drive at half-maximum onset of margination")
    chemotaxis: PerTissue = quantity(
        "1", "Maximum relative increase of exit by CXCL10", dims=("tissue",)
    )
    EC50_CXCL10: Scalar = quantity("pg/mL", "CXCL10 at half-maximum chemotaxis")
    mobility: Scalar = quantity(
        "1", "Traffic of activated and post-activated T cells, relative to resting ones"
    )
    retention: Scalar = quantity("1", "Relative slowing of return at full margination")


def net_arrival(
    x: TCells,
    baseline: PerTissue,
    marginated: Scalar,
    cxcl10: Scalar,
    cxcl10_0: Scalar,
    p: TrafficParameters,
) -> TCells:
    """Net arrival of T cells in each tissue; the sum over blood and tissues is zero.

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


def margination_rate(marginated: Scalar, drive: Scalar, p: TrafficParameters) -> Scalar:
    """Rate of margination M: k_on*z/(S50 + z)*(1 - M) - k_off*M.

    Args:
        marginated: Margination, M, from 0 to 1.
        drive: Delayed release drive, z [Mcell].
        p: Parameters.

    Returns:
        Rate [1/day].
    """
    return p.k_on * drive / (p.S50 + drive) * (1.0 - marginated) - p.k_off * marginated
