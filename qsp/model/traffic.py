"""Traffic of T cells between blood and tissues, and margination (TCE-42 (d), S3).

Cells leave blood for tissue k at e_k, faster when endothelium is activated (margination) and, into
tumor and skin, when CXCL10 is up; they return at the rate that keeps the untreated baseline.
Activated and post-activated cells move twice as fast, both ways.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model import numerics
from qsp.model.t_cells import TCells
from qsp.model.tissues import BLOOD
from qsp.typing import PerTissue, Scalar
from qsp.units import quantity


class TrafficParameters(eqx.Module):
    """Rates of exchange with blood; zero in the blood slot."""

    k_exit: PerTissue = quantity("1/day", "Exit from blood into a tissue", dims=("tissue",))
    margination: Scalar = quantity("1", "Gain of exit at full margination")
    k_on: Scalar = quantity("1/day", "Onset of margination")
    k_off: Scalar = quantity("1/day", "Decay of margination")
    S50: Scalar = quantity("Mcell", "Cytokine drive at half-maximum margination")
    chemotaxis: PerTissue = quantity("1", "Gain of exit at high CXCL10", dims=("tissue",))
    EC50_CXCL10: Scalar = quantity("pg/mL", "CXCL10 at half-maximum chemotaxis")
    mobility: Scalar = quantity("1", "Speed of activated and post-activated cells")
    retention: Scalar = quantity("1", "Slowing of return at full margination")


def arriving(
    x: TCells,
    baseline: PerTissue,
    marginated: Scalar,
    cxcl10: Scalar,
    cxcl10_0: Scalar,
    p: TrafficParameters,
) -> TCells:
    """Net arrival of T cells in each tissue [Mcell/day]; blood gives what the tissues get.

    Source: TCE-42 (d).

    Args:
        x: T cells.
        baseline (tissue,): T cells before treatment [Mcell].
        marginated: Margination, between 0 and 1.
        cxcl10: CXCL10 [pg/mL].
        cxcl10_0: Its baseline.
        p: Rates.
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
    """k_on*z/(S50 + z)*(1 - MAR) - k_off*MAR, driven by the delayed cytokine drive z.

    Source: TCE-42 (d), S3.
    """
    return p.k_on * drive / (p.S50 + drive) * (1.0 - marginated) - p.k_off * marginated
