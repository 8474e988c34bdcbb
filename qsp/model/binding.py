"""Binding of the drug in each tissue: how much is free and how much is bound to receptors.

Receptors are at quasi-equilibrium with the free concentration of their tissue::

    soluble target + drug <-> bound          c    free drug
    CD3            + drug <-> bound          occ  = c / (K + c)
    target         + drug <-> bound          K_T  rises with an anti-target competitor

The state of the disposition model is the *soluble* concentration (free drug and drug on soluble
target); receptor-bound drug follows from it. Assumed: the amount of drug in trimers is negligible,
and the receptors of a tissue are well mixed in its volume ("bulk", in contrast to the contact gap
of a synapse).

Differs from [Hibma2026]: receptors on cells, too, bind the free drug.
"""

import equinox as eqx
import jax.numpy as jnp

from qsp.model.tissues import TissueParameters
from qsp.typing import PerKindTissue, PerTissue, Scalar
from qsp.units import quantity


class BindingParameters(eqx.Module):
    """Affinities, receptor numbers and receptor turnover of one molecule in one patient."""

    KD_CD3: Scalar = quantity("nmol/L", "Dissociation constant of the CD3 arm", symbol="K_{D,CD3}")
    KD_target: Scalar = quantity(
        "nmol/L", "Dissociation constant of one target arm", symbol="K_{D,target}"
    )
    valency: Scalar = quantity("1", "Target arms per molecule: 1 (1:1) or 2 (2:1)", symbol="n")
    chi: Scalar = quantity(
        "1", "Cross-arm enhancement of the second target arm of a 2:1 molecule", symbol=r"\chi"
    )
    KD_soluble: Scalar = quantity(
        "nmol/L", "Dissociation constant for the soluble target", symbol="K_{D,soluble}"
    )
    KD_competitor: Scalar = quantity(
        "nmol/L",
        "Dissociation constant of the competitor for the target",
        symbol="K_{D,competitor}",
    )
    copies_CD3: Scalar = quantity("molecule/cell", "CD3 molecules per T cell", symbol="n_{CD3}")
    copies_target: PerKindTissue = quantity(
        "molecule/cell",
        "Target molecules per target cell",
        dims=("kind", "tissue"),
        symbol="n_{target}",
    )
    area_t_cell: Scalar = quantity("um^2/cell", "Surface area of a T cell", symbol="a_{T}")
    area_target: PerKindTissue = quantity(
        "um^2/cell", "Surface area of a target cell", dims=("kind", "tissue"), symbol="a_{target}"
    )
    density_per_concentration: Scalar = quantity(
        "molecule*L/um^2/nmol",
        "Surface density equal to 1 nmol/L in the contact gap of 15 nm: 9.03e-3 exactly (rounded)",
        symbol=r"\sigma",
    )
    k_int_CD3: Scalar = quantity("1/day", "Internalization rate of drug bound to CD3")
    k_int_target: Scalar = quantity("1/day", "Internalization rate of drug bound to the target")
    amount_per_copy: Scalar = quantity(
        "nmol*cell/Mcell/molecule",
        "Amount of a receptor with one copy per cell on a million cells: 1/6.022e8 = 1.6606e-9",
        symbol=r"\nu",
    )


class Receptors(eqx.Module):
    """Concentrations of receptors in a tissue volume, or in the contact gap."""

    cd3: PerTissue = quantity("nmol/L", "CD3", dims=("tissue",), symbol="R_{CD3}")
    target: PerKindTissue = quantity(
        "nmol/L", "Target", dims=("kind", "tissue"), symbol="R_{target}"
    )


class Bulk(eqx.Module):
    """Binding equilibrium of the drug in each tissue, and its derivatives."""

    free: PerTissue = quantity("nmol/L", "Free drug", dims=("tissue",), symbol="c")
    occupancy_cd3: PerTissue = quantity(
        "1", "Fraction of CD3 bound to drug", dims=("tissue",), symbol=r"\theta_{CD3}"
    )
    occupancy_target: PerKindTissue = quantity(
        "1", "Fraction of target bound to drug", dims=("kind", "tissue"), symbol=r"\theta_{target}"
    )
    bound: PerTissue = quantity("nmol/L", "Drug on receptors", dims=("tissue",), symbol="B")
    bound_per_free: PerTissue = quantity("1", "d bound / d free", dims=("tissue",), symbol="B_{c}")
    free_per_soluble: PerTissue = quantity(
        "1", "d free / d soluble drug", dims=("tissue",), symbol="c_{C}"
    )
    free_per_target: PerTissue = quantity(
        "1", "d free / d soluble target", dims=("tissue",), symbol="c_{s}"
    )
    bound_per_competitor: PerTissue = quantity(
        "1", "d bound / d competitor", dims=("tissue",), symbol="B_{O}"
    )


def receptors(
    t_cells: PerTissue, targets: PerKindTissue, p: BindingParameters, tissues: TissueParameters
) -> Receptors:
    r"""Receptor concentrations from cell numbers, R = n*N / (N_A*V).

    N_A is Avogadro's constant, 6.022e14 molecule/nmol, so that nu = 1e6 cell/Mcell / N_A.

    Equations:
        Eq. B1: $$R_{CD3,k} = \frac{\nu \, n_{CD3} T_{k}}{V_{k}}$$
        Eq. B2: $$R_{target,j,k} = \frac{\nu \, n_{target,j,k} N_{j,k}}{V_{k}}$$
        $T$ [Mcell]: T cells, Eq. M1.
        $N$ [Mcell]: target cells, `targets.viable`.

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
    r"""Receptor concentrations in the 15 nm contact gap, R = n / (area*N_A*15 nm) [nmol/L].

    They depend on surface densities alone, not on the number of cells in the tissue. N_A * 15 nm is
    the constant sigma, 9.03e-3 molecule/um^2 per nmol/L.

    Equations:
        Eq. B3: $$r_{CD3} = \frac{n_{CD3}}{a_{T} \sigma}$$
        Eq. B4: $$r_{target,j,k} = \frac{n_{target,j,k}}{a_{target,j,k} \sigma}$$
        $r_{CD3}$ [nmol/L]: CD3 in the contact gap.
        $r_{target}$ [nmol/L]: target in the contact gap.
    """
    cd3 = p.copies_CD3 / p.area_t_cell / p.density_per_concentration
    target = p.copies_target / p.area_target / p.density_per_concentration
    return Receptors(cd3=jnp.broadcast_to(cd3, target.shape[1:]), target=target)


def arm_affinity(competitor: Scalar, p: BindingParameters) -> Scalar:
    r"""Apparent dissociation constant of one target arm under competition: K_T*(1 + O/K_O).

    Equations:
        Eq. B5: $$K_T = K_{D,target} \left(1 + \frac{O}{K_{D,competitor}}\right)$$
        $K_T$ [nmol/L]: apparent dissociation constant of one target arm.
        $O$ [nmol/L]: competitor, `drug.competitor`.

    Args:
        competitor: Competitor for the target, O [nmol/L].
        p: Affinities.
    """
    return p.KD_target * (1.0 + competitor / p.KD_competitor)


def avidity(K_T: Scalar, p: BindingParameters) -> PerKindTissue:
    r"""Gain in affinity from a second arm that binds a target on the same cell.

    For n target arms it is n + (n-1)*chi*r_T/K_T, with r_T the target in the contact gap.

    Equations:
        Eq. B6: $$g_{j,k} = n + \frac{(n - 1) \chi r_{target,j,k}}{K_T}$$
        $g$ [1]: gain in affinity.
        $K_T$ [nmol/L]: dissociation constant of one target arm, Eq. B5.
        $r_{target}$ [nmol/L]: target in the contact gap, Eq. B4.

    Args:
        K_T: Dissociation constant of one target arm [nmol/L].
        p: Valency, cross-arm enhancement and target density.

    Returns:
        K_T over the apparent dissociation constant of the molecule [1]; (kind, tissue).
    """
    return p.valency + (p.valency - 1.0) * p.chi * gap_receptors(p).target / K_T


def free_drug(soluble: PerTissue, soluble_target: PerTissue, p: BindingParameters) -> PerTissue:
    r"""Free drug c at equilibrium with a soluble target: c + c*s/(K_s + c) = C [Hibma2026].

    The quadratic is solved in the form that loses no digits at low drug. Without soluble target all
    drug is free; the expression for that case has the derivative in s of the root.

    Equations:
        Eq. B7: $$c_{k} + \frac{c_{k} s_{k}}{K_{D,soluble} + c_{k}} = C_{k}$$
        Eq. B8: $$c_{k} = \frac{2 K_{D,soluble} C_{k}}{e_{k} + \sqrt{e_{k}^2 + 4 K_{D,soluble}
            C_{k}}}, \quad e_{k} = s_{k} + K_{D,soluble} - C_{k}$$
        $c$ [nmol/L]: free drug.
        $C$ [nmol/L]: drug in solution, `drug.soluble`.
        $s$ [nmol/L]: soluble target, `drug.soluble_target`.
        $e$ [nmol/L]: term of the root.

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
    r"""Equilibrium of the drug with soluble target and receptors in each tissue.

    Equations:
        Eq. B9: $$K_{app,j,k} = \frac{K_T}{g_{j,k}}$$
        Eq. B10: $$\theta_{CD3,k} = \frac{c_{k}}{K_{D,CD3} + c_{k}}$$
        Eq. B11: $$\theta_{target,j,k} = \frac{c_{k}}{K_{app,j,k} + c_{k}}$$
        Eq. B12: $$B_{k} = R_{CD3,k} \theta_{CD3,k} + \sum_{j} R_{target,j,k} \theta_{target,j,k}$$
        Eq. B13: $$B_{c,k} = \frac{R_{CD3,k} K_{D,CD3}}{(K_{D,CD3} + c_{k})^2} + \sum_{j}
            \frac{R_{target,j,k} K_{app,j,k}}{(K_{app,j,k} + c_{k})^2}$$
        Eq. B14: $$c_{C,k} = \frac{c_{k} + K_{D,soluble}}{s_{k} + K_{D,soluble} + 2 c_{k} - C_{k}}$$
        Eq. B15: $$c_{s,k} = \frac{-c_{k}}{s_{k} + K_{D,soluble} + 2 c_{k} - C_{k}}$$
        Eq. B16: $$B_{O,k} = -\frac{K_{D,target}}{K_{D,competitor}} \sum_{j} \frac{R_{target,j,k}
            c_{k}}{(K_{app,j,k} + c_{k})^2} \cdot \frac{2 - n / g_{j,k}}{g_{j,k}}$$
        $K_{app}$ [nmol/L]: apparent dissociation constant of the molecule for the target.
        $K_T$ [nmol/L]: dissociation constant of one target arm under competition, Eq. B5.
        $g$ [1]: gain in affinity, Eq. B6; equal to the valency without cross-arm binding.
        $C$ [nmol/L]: drug in solution, `drug.soluble`.
        $s$ [nmol/L]: soluble target, `drug.soluble_target`.

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
