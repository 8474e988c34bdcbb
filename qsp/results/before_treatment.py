"""Target cells and soluble target of each patient before treatment, which a clinic can measure.

The tumor is where the malignant cells of the disease are: the lymph nodes and lesions of lymphoma,
the marrow of myeloma and leukemia. The effector-to-target ratio is thus that of a biopsy or of an
aspirate of marrow.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from qsp.model.tissues import BLOOD, TUMOR, TUMOR_KINDS
from qsp.system import Parameters

TARGET_BASELINE: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "soluble_target_baseline": ("nmol/L", "Soluble target in blood before treatment"),
        "effector_to_target_baseline": (
            "1",
            "T cells per malignant cell in the tumor before treatment",
        ),
        "m_protein_elimination": (
            "1/day",
            "Elimination rate of M-protein, which tells its isotype",
        ),
    }
)
"""Unit and name of each variable."""


def target_baseline(arms: Sequence[Parameters]) -> dict[str, np.ndarray]:
    """Return the variables of `TARGET_BASELINE`.

    Args:
        arms: Parameters of the patients in each arm; leaves have a leading patient axis.

    Returns:
        (arm, patient) each; the effector-to-target ratio is NaN without malignant cells. The
        elimination of M-protein is present in a disease that has it, which is myeloma.
    """
    protein = np.stack([np.asarray(p.model.lesions.k_protein) for p in arms])
    soluble = [np.asarray(p.model.disposition.soluble_target)[..., BLOOD] for p in arms]
    found = {
        "soluble_target_baseline": np.stack(soluble),
        "effector_to_target_baseline": np.stack([_effector_to_target(p) for p in arms]),
    }
    return found | ({"m_protein_elimination": protein} if np.any(protein > 0.0) else {})


def _effector_to_target(parameters: Parameters) -> np.ndarray:
    model = parameters.model
    effectors = np.asarray(model.t_cells.baseline)[..., TUMOR]
    targets = np.asarray(model.targets.baseline)[..., TUMOR_KINDS, TUMOR].sum(-1)
    present = targets > 0.0
    return np.where(present, effectors / np.where(present, targets, 1.0), np.nan)
