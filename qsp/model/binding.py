"""Binding of the drug in each tissue: how much is free and how much is bound to receptors.

Receptors are at quasi-equilibrium with the free concentration of their tissue::

    soluble target + drug <-> bound          c    free drug
    CD3            + drug <-> bound          occ  = c / (K + c)
    target         + drug <-> bound          K_T  rises with an anti-target competitor

The state of the disposition model is the *soluble* concentration (free drug and drug on soluble
target); receptor-bound drug follows from it. Assumed: the amount of drug in trimers is negligible,
and the receptors of a tissue are well mixed in its volume ("bulk", in contrast to the contact gap
of a synapse).
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model.tissues import TissueParameters
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class BindingParameters(eqx.Module):
    """Affinities, receptor numbers and receptor turnover of one molecule in one patient."""

    KD_CD3: Scalar = quantity("nmol/L", "Dissociation constant of the CD3 arm")
    KD_target: Scalar = quantity("nmol/L", "Dissociation constant of one target arm")
    valency: Scalar = quantity("1", "Target arms per molecule: 1 (1:1) or 2 (2:1)")
    chi: Scalar = quantity("1", "Cross-arm enhancement of the second target arm of a 2:1 molecule")
    KD_soluble: Scalar = quantity("nmol/L", "Dissociation constant for the soluble target")
    KD_competitor: Scalar = quantity(
        "nmol/L", "Dissociation constant of the competitor for the target"
    )
    copies_CD3: Scalar = quantity("molecule/cell", "CD3 molecules per T cell")
    copies_target: PerKindTissue = quantity(
        "molecule/cell", "Target molecules per target cell", dims=("kind", "tissue")
    )
    area_t_cell: Scalar = quantity("um^2/cell", "Surface area of a T cell")
    area_target: PerKindTissue = quantity(
        "um^2/cell", "Surface area of a target cell", dims=("kind", "tissue")
    )
    density_per_concentration: Scalar = quantity(
        "molecule*L/um^2/nmol",
        "Surface density equal to 1 nmol/L in the contact gap: Avogadro constant * 15 nm",
    )
    k_int_CD3: Scalar = quantity("1/day", "Internalization rate of drug bound to CD3")
    k_int_target: Scalar = quantity("1/day", "Internalization rate of drug bound to the target")
    amount_per_copy: Scalar = quantity(
        "nmol*cell/Mcell/molecule",
        "Amount of a receptor with one copy per cell on a million cells: 1e6 / Avogadro constant",
    )


class Receptors(eqx.Module):
    """Concentrations of receptors in a tissue volume, or in the contact gap."""

    cd3: PerTissue = quantity("nmol/L", "CD3", dims=("tissue",))
    target: PerKindTissue = quantity("nmol/L", "Target", dims=("kind", "tissue"))


class Bulk(eqx.Module):
    """Binding equilibrium of the drug in each tissue, and its derivatives."""

    free: PerTissue = quantity("nmol/L", "Free drug", dims=("tissue",))
    occupancy_cd3: PerTissue = quantity("1", "Fraction of CD3 bound to drug", dims=("tissue",))
    occupancy_target: PerKindTissue = quantity(
        "1", "Fraction of target bound to drug", dims=("kind", "tissue")
    )
    bound: PerTissue = quantity("nmol/L", "Drug on receptors", dims=("tissue",))
    bound_per_free: PerTissue = quantity("1", "d bound / d free", dims=("tissue",))
    free_per_soluble: PerTissue = quantity("1", "d free / d soluble drug", dims=("tissue",))
    free_per_target: PerTissue = quantity("1", "d free / d soluble target", dims=("tissue",))
    bound_per_competitor: PerTissue = quantity("1", "d bound / d competitor", dims=("tissue",))


def receptors(
    t_cells: PerTissue, targets: PerKindTissue, p: BindingParameters, tissues: TissueParameters
) -> Receptors:
    """Receptor concentrations from cell numbers, R = n*N / (N_A*V), with N_A Avogadro's constant.

    Args:
        t_cells: T cells [Mcell], or their rate of change [Mcell/day]; (tissue,).
        targets: Target cells [Mcell], or their rate of change [Mcell/day]; (kind, tissue).
        p: Copies per cell.
        tissues: Volumes.

    Returns:
        Concentrations [nmol/L], or their rates of change [nmol/L/day].
    """
    per_volume = p.amount_per_copy / tissues.volume
    return Receptors(
        cd3=p.copies_CD3 * t_cells * per_volume, target=p.copies_target * targets * per_volume
    )


def gap_receptors(p: BindingParameters) -> Receptors:
    """Receptor concentrations in the 15 nm contact gap, R = n / (area*N_A*15 nm) [nmol/L].

    They depend on surface densities alone, not on the number of cells in the tissue.
    """
    cd3 = p.copies_CD3 / p.area_t_cell / p.density_per_concentration
    target = p.copies_target / p.area_target / p.density_per_concentration
    return Receptors(cd3=jnp.broadcast_to(cd3, target.shape[1:]), target=target)


def arm_affinity(competitor: Scalar, p: BindingParameters) -> Scalar:
    """Apparent dissociation constant of one target arm under competition: K_T*(1 + O/K_O).

    Args:
        competitor: Competitor for the target, O [nmol/L].
        p: Affinities.
    """
    return p.KD_target * (1.0 + competitor / p.KD_competitor)


def avidity(K_T: Scalar, p: BindingParameters) -> PerKindTissue:
    """Gain in affinity from a second arm that binds a target on the same cell.

    For n target arms it is n + (n-1)*chi*r_T/K_T, with r_T the target in the contact gap.

    Args:
        K_T: Dissociation constant of one target arm [nmol/L].
        p: Valency, cross-arm enhancement and target density.

    Returns:
        K_T over the apparent dissociation constant of the molecule [1]; (kind, tissue).
    """
    return p.valency + (p.valency - 1.0) * p.chi * gap_receptors(p).target / K_T


def free_drug(soluble: PerTissue, soluble_target: PerTissue, p: BindingParameters) -> PerTissue:
    """Free drug c at equilibrium with a soluble target: c + c*s/(K_s + c) = C [Hibma2026].

    The quadratic is solved in the form that loses no digits at low drug. Without soluble target all
    drug is free; the expression for that case has the derivative in s of the root.

    Args:
        soluble: Free drug and drug on soluble target, C [nmol/L]; (tissue,).
        soluble_target: Soluble target, bound and free, s [nmol/L]; (tissue,).
        p: Affinity for the soluble target, K_s.

    Returns:
        Free drug [nmol/L]; (tissue,).
    """
    excess = soluble_target + p.KD_soluble - soluble
    root = jnp.sqrt(excess * excess + 4.0 * p.KD_soluble * soluble)
    with_target = 2.0 * p.KD_soluble * soluble / (excess + root)
    without = soluble - soluble_target * soluble / (p.KD_soluble + soluble)
    return jnp.where(soluble_target > 0.0, with_target, without)


def bulk(
    soluble: PerTissue,
    soluble_target: PerTissue,
    competitor: Scalar,
    receptor: Receptors,
    p: BindingParameters,
    *,
    arms: int = 2,
) -> Bulk:
    """Equilibrium of the drug with soluble target and receptors in each tissue.

    Args:
        soluble: Free drug and drug on soluble target [nmol/L]; (tissue,).
        soluble_target: Soluble target, bound and free [nmol/L]; (tissue,).
        competitor: Antibody that competes for the target [nmol/L].
        receptor: Receptors in the tissue volumes.
        p: Affinities.
        arms: 1 leaves out cross-arm binding (chi) at any valency.
    """
    c = free_drug(soluble, soluble_target, p)
    K_arm = arm_affinity(competitor, p)
    gain = avidity(K_arm, p) if arms > 1 else p.valency
    K_3, K_T = p.KD_CD3, K_arm / gain
    affinity_per_arm = (2.0 - p.valency / gain) / gain  # d K_T / d K_arm; 1 for one target arm
    per_cd3, per_target = 1.0 / (K_3 + c), 1.0 / (K_T + c)
    occupancy_cd3, occupancy_target = c * per_cd3, c * per_target
    bound_target = receptor.target * occupancy_target
    # Reciprocal of the derivative of the quadratic in c.
    per_slope = 1.0 / (soluble_target + p.KD_soluble + 2.0 * c - soluble)
    return Bulk(
        free=c,
        occupancy_cd3=occupancy_cd3,
        occupancy_target=jnp.broadcast_to(occupancy_target, receptor.target.shape),
        bound=receptor.cd3 * occupancy_cd3 + bound_target.sum(0),
        bound_per_free=receptor.cd3 * K_3 * per_cd3**2
        + (receptor.target * K_T * per_target**2).sum(0),
        free_per_soluble=(c + p.KD_soluble) * per_slope,
        free_per_target=-c * per_slope,
        bound_per_competitor=-(bound_target * per_target * affinity_per_arm).sum(0)
        * p.KD_target
        / p.KD_competitor,
    )
