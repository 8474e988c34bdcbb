"""Binding of the drug in bulk: how much is free, how much sits on receptors.

Source: TCE-42 (c), A3, A4, S4.

Receptors hold drug at quasi-equilibrium with the free concentration of their tissue::

    soluble target + drug <-> bound          c    free drug
    CD3            + drug <-> bound          occ  = c / (K + c)
    target         + drug <-> bound          K_T  rises with an anti-target competitor

The state of the disposition model is the *soluble* concentration (free and bound to soluble
target); receptor-bound drug follows from it. Drug in trimers is not counted.
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
    copies_CD3: Scalar = quantity("molecule/cell", "CD3 per T cell")
    copies_target: PerKindTissue = quantity(
        "molecule/cell", "Target copies per cell", dims=("kind", "tissue")
    )
    area_t_cell: Scalar = quantity("um^2/cell", "Surface of a T cell")
    area_target: PerKindTissue = quantity(
        "um^2/cell", "Surface of a target cell", dims=("kind", "tissue")
    )
    density_per_concentration: Scalar = quantity(
        "molecule*L/um^2/nmol", "Surface density of 1 nmol/L in the contact gap: Avogadro * 15 nm"
    )
    k_int_CD3: Scalar = quantity("1/day", "Internalization of drug bound to CD3")
    k_int_target: Scalar = quantity("1/day", "Internalization of drug bound to target")
    amount_per_copy: Scalar = quantity(
        "nmol*cell/Mcell/molecule", "Receptors of a million cells as an amount: 1e6 / Avogadro"
    )


class Receptors(eqx.Module):
    """Concentrations of receptors in bulk, or in the contact gap."""

    cd3: PerTissue = quantity("nmol/L", "CD3", dims=("tissue",))
    target: PerKindTissue = quantity("nmol/L", "Target", dims=("kind", "tissue"))


class Bulk(eqx.Module):
    """Equilibrium of the drug in bulk at one moment."""

    free: PerTissue = quantity("nmol/L", "Free drug", dims=("tissue",))
    occupancy_cd3: PerTissue = quantity("1", "Fraction of CD3 holding drug", dims=("tissue",))
    occupancy_target: PerKindTissue = quantity(
        "1", "Fraction of target holding drug", dims=("kind", "tissue")
    )
    bound: PerTissue = quantity("nmol/L", "Drug on receptors", dims=("tissue",))
    capacity: PerTissue = quantity("1", "d bound / d free", dims=("tissue",))
    free_per_soluble: PerTissue = quantity("1", "d free / d soluble drug", dims=("tissue",))
    free_per_target: PerTissue = quantity("1", "d free / d soluble target", dims=("tissue",))
    bound_per_competitor: PerTissue = quantity("1", "d bound / d competitor", dims=("tissue",))


def receptors(
    t_cells: PerTissue, targets: PerKindTissue, p: BindingParameters, tissues: TissueParameters
) -> Receptors:
    """Receptor concentrations in bulk from cell numbers: R = n*N / (Avogadro*V); TCE-42 (c).

    Args:
        t_cells (tissue,): T cells [Mcell], or their rate of gain [Mcell/day].
        targets (kind, tissue): Target cells [Mcell], or their rate of gain.
        p: Copies per cell.
        tissues: Volumes.

    Returns:
        Concentrations [nmol/L], or their rates of gain [nmol/L/day].
    """
    per_volume = p.amount_per_copy / tissues.volume
    return Receptors(
        cd3=p.copies_CD3 * t_cells * per_volume, target=p.copies_target * targets * per_volume
    )


def gap_receptors(p: BindingParameters) -> Receptors:
    """Receptor concentrations inside the 15 nm contact gap, from densities alone; TCE-42 A1."""
    cd3 = p.copies_CD3 / p.area_t_cell / p.density_per_concentration
    target = p.copies_target / p.area_target / p.density_per_concentration
    return Receptors(cd3=jnp.broadcast_to(cd3, target.shape[1:]), target=target)


def arm_affinity(competitor: Scalar, p: BindingParameters) -> Scalar:
    """Apparent K_T of one arm under competition: K_T*(1 + O/K_O); TCE-42 (a)."""
    return p.KD_target * (1.0 + competitor / p.KD_competitor)


def avidity(K_T: Scalar, p: BindingParameters) -> PerKindTissue:
    """Gain of affinity by a second arm that reaches a target on the same cell.

    It is N + (n-1)*chi*r_T/K_T for n binding sites; TCE-42 A14.
    """
    return p.valency + (p.valency - 1.0) * p.chi * gap_receptors(p).target / K_T


def free_drug(soluble: PerTissue, soluble_target: PerTissue, p: BindingParameters) -> PerTissue:
    """Free drug at equilibrium with a soluble target; TCE-42 S4, [Hibma26].

    Root of c + c*s/(K_s + c) = C in the form that loses no digits where the drug is scarce. Without
    soluble target all is free, and no root has to be taken; the slope in s is that of the root.
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
    """Equilibrium of the drug with soluble target and receptors; TCE-42 (c).

    Args:
        soluble (tissue,): Drug in solution, on soluble target or free [nmol/L].
        soluble_target (tissue,): Soluble target, bound or free [nmol/L].
        competitor: Antibody that blocks the target [nmol/L].
        receptor: Receptors in bulk.
        p: Affinities.
        arms: 1 leaves out cross-arm binding (chi), whatever the valency.
    """
    c = free_drug(soluble, soluble_target, p)
    K_arm = arm_affinity(competitor, p)
    gain = avidity(K_arm, p) if arms > 1 else p.valency
    K_3, K_T = p.KD_CD3, K_arm / gain
    affinity_per_arm = (2.0 - p.valency / gain) / gain  # d K_T / d K_arm; 1 for one target arm
    per_cd3, per_target = 1.0 / (K_3 + c), 1.0 / (K_T + c)
    occupancy_cd3, occupancy_target = c * per_cd3, c * per_target
    bound_target = receptor.target * occupancy_target
    # Derivative of the quadratic in c.
    per_root = 1.0 / (soluble_target + p.KD_soluble + 2.0 * c - soluble)
    return Bulk(
        free=c,
        occupancy_cd3=occupancy_cd3,
        occupancy_target=jnp.broadcast_to(occupancy_target, receptor.target.shape),
        bound=receptor.cd3 * occupancy_cd3 + bound_target.sum(0),
        capacity=receptor.cd3 * K_3 * per_cd3**2 + (receptor.target * K_T * per_target**2).sum(0),
        free_per_soluble=(c + p.KD_soluble) * per_root,
        free_per_target=-c * per_root,
        bound_per_competitor=-(bound_target * per_target * affinity_per_arm).sum(0)
        * p.KD_target
        / p.KD_competitor,
    )
