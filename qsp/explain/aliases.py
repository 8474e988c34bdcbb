"""Other words for names of the model: abbreviations, plurals, symbols and brand names.

Case, spaces and punctuation do not matter: ``IL-6``, ``il 6`` and ``IL6`` are one word, as are
``T cells`` and ``t_cells``. Further words are listed here, those for a drug in `qsp.drugs`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from qsp.drugs import DRUGS


class Alias(NamedTuple):
    """The names that explain a word.

    Args:
        names: Names of the model, in the order in which they are explained.
        note: A sentence for a word that is not in the model, such as EC50.
        see: Further names for a reader who wants more.
    """

    names: tuple[str, ...]
    note: str = ""
    see: tuple[str, ...] = ()


def plain_word(text: str) -> str:
    """Return a word in lower case without spaces and punctuation, in American spelling."""
    return re.sub(r"[\W_]+", "", text).lower().replace("tumour", "tumor")


def alias(text: str) -> Alias:
    """Return the alias of a word, also in the plural; one without names if there is none."""
    word = plain_word(text)
    return ALIASES.get(word) or ALIASES.get(word.removesuffix("s")) or Alias(())


def _cytokine(name: str, produced: str) -> Alias:
    return Alias((name, f"{name}_peak", *(f"cytokines.{each}" for each in produced.split())))


_IFN = _cytokine("ifn_gamma", "p_IFN IFN50")
_TNF = _cytokine("tnf_alpha", "p_TNF p_TNF_myeloid TNF50")
_CXCL10 = _cytokine("cxcl10", "p_CXCL10")
_CLEARANCE = Alias(
    ("disposition.CL_base", "disposition.CL_ss", "disposition.half_life_CL"), see=("disposition",)
)
_TRIMERS = Alias(("trimers_peak", "synapse.alpha"), see=("synapse",))
_POTENCY = Alias(
    ("synapse.alpha", "synapse.beta50_act", "synapse.beta50_kill"),
    note="The EC50 of a drug is not a parameter: it follows from affinities, receptors, alpha and "
    "beta50. `qsp explain MOLECULE` prints it.",
)
_TUMOR = Alias(("tumor.cells", "tumor_volume", "targets.viable"), see=("targets", "best_change"))
_B_CELLS = Alias(("b_cells_blood", "targets.viable"), see=("targets",))
_CRS = Alias(("crs_grade", "incidence", "worst_grade"), see=("severity",))
_GRADE = Alias(("crs_grade", "severity.level"), see=("severity",))
_MYELOID = Alias(("cytokines.myeloid", "cytokines.tolerant"), see=("cytokines",))

ALIASES: Mapping[str, Alias] = {
    # drug
    "pk": Alias(("disposition",)),
    "pharmacokinetics": Alias(("disposition",)),
    "cl": _CLEARANCE,
    "clearance": _CLEARANCE,
    "halflife": _CLEARANCE,
    "v": Alias(("disposition.V1", "disposition.V2")),
    "vc": Alias(("disposition.V1",)),
    "vp": Alias(("disposition.V2",)),
    "vd": Alias(("disposition.V1", "disposition.V2")),
    "f": Alias(("disposition.bioavailability",)),
    "fsc": Alias(("disposition.bioavailability",)),
    "absorption": Alias(("disposition.ka", "disposition.bioavailability")),
    "concentration": Alias(("drug_central", "drug.soluble")),
    "exposure": Alias(("cmax", "auc", "ctrough")),
    "trough": Alias(("ctrough",)),
    "sbcma": Alias(("antigens.BCMA.soluble.blood", "drug.soluble_target")),
    "solubletarget": Alias(("drug.soluble_target", "disposition.soluble_target")),
    "dose": Alias(("dose_amount", "dose_time", "dose_label")),
    # binding and synapse
    "kd": Alias(("binding.KD_CD3", "binding.KD_target")),
    "affinity": Alias(("binding.KD_CD3", "binding.KD_target")),
    "cd3": Alias(("binding.KD_CD3", "binding.copies_CD3")),
    "copies": Alias(("binding.copies_CD3", "binding.copies_target")),
    "antigen": Alias(("binding.copies_target", "tumor.antigen_low")),
    "occupancy": Alias(("occupancy_max",), see=("binding",)),
    "avidity": Alias(("binding.valency", "binding.chi")),
    "trimer": _TRIMERS,
    "bridge": _TRIMERS,
    "ec50": _POTENCY,
    "ic50": _POTENCY,
    "potency": _POTENCY,
    "beta50": Alias(("synapse.beta50_act", "synapse.beta50_kill")),
    "hill": Alias(("synapse.hill_act",)),
    "emax": Alias(("t_cells.k_act", "engagement.k_kill")),
    "killing": Alias(("engagement.k_kill", "synapse.beta50_kill"), see=("engagement",)),
    "kill": Alias(("engagement.k_kill", "synapse.beta50_kill"), see=("engagement",)),
    # cells
    "tcell": Alias(("t_cells",)),
    "bcell": _B_CELLS,
    "cd19bcell": _B_CELLS,
    "cd20bcell": _B_CELLS,
    "activation": Alias(("t_cells.k_act", "t_cells.f_act", "t_cells.activated")),
    "expansion": Alias(("t_cells.g_A", "t_cells.g_X", "t_cells.expansion_limit")),
    "proliferation": Alias(("t_cells.g_A", "t_cells.g_X", "t_cells.expansion_limit")),
    "myeloidcell": _MYELOID,
    "macrophage": _MYELOID,
    "monocyte": _MYELOID,
    "tolerance": Alias(("cytokines.tolerant", "cytokines.f_tolerant")),
    "desensitization": Alias(("release.memory", "release.CA50")),
    "tumor": _TUMOR,
    "tumorburden": _TUMOR,
    "burden": _TUMOR,
    "lesion": _TUMOR,
    "growth": Alias(("targets.k_growth", "targets.capacity")),
    "rash": Alias(("rash_index",)),
    # cytokines
    "il6": _cytokine("il6", "p_IL6 k_IL6_receptor"),
    "interleukin6": _cytokine("il6", "p_IL6 k_IL6_receptor"),
    "il2": _cytokine("il2", "p_IL2"),
    "il10": _cytokine("il10", "p_IL10 p_IL10_T"),
    "il1": Alias(("il1", "interleukin1")),
    "ifn": _IFN,
    "ifng": _IFN,
    "ifngamma": _IFN,
    "interferon": _IFN,
    "tnf": _TNF,
    "tnfa": _TNF,
    "tnfalpha": _TNF,
    "ip10": _CXCL10,
    "cxcl10": _CXCL10,
    "cytokine": Alias(("cytokines",)),
    # CRS and response
    "crs": _CRS,
    "cytokinereleasesyndrome": _CRS,
    "crsgrade": Alias(("crs_grade",), see=("severity",)),
    "grade": _GRADE,
    "astct": _GRADE,
    "fever": Alias(("severity",), see=("axes", "temperature")),
    "orr": Alias(("objective_response", "best_response")),
    "response": Alias(("objective_response", "complete_response", "best_response")),
    "cr": Alias(("complete_response", "best_response")),
    # supportive drugs
    **{word: Alias((drug.name,)) for drug in DRUGS for word in drug.other_names},
    # covariates
    "bodyweight": Alias(("body_weight",)),
    "bsa": Alias(("body_surface",)),
    # molecules and diseases
    "blincyto": Alias(("blinatumomab",)),
    "columvi": Alias(("glofitamab",)),
    "elrexfio": Alias(("elranatamab",)),
    "epkinly": Alias(("epcoritamab",)),
    "tepkinly": Alias(("epcoritamab",)),
    "imdelltra": Alias(("tarlatamab",)),
    "kimmtrak": Alias(("tebentafusp",)),
    "lunsumio": Alias(("mosunetuzumab",)),
    "lynozyfic": Alias(("linvoseltamab",)),
    "ordspono": Alias(("odronextamab",)),
    "talvey": Alias(("talquetamab",)),
    "tecvayli": Alias(("teclistamab",)),
    "lymphoma": Alias(("nhl",)),
    "dlbcl": Alias(("nhl_dlbcl",)),
    "fl": Alias(("nhl_fl",)),
    "mm": Alias(("myeloma",)),
    "leukemia": Alias(("b_all",)),
    "melanoma": Alias(("uveal_melanoma",)),
    "lungcancer": Alias(("sclc",)),
}
"""Names by the word in lower case without spaces and punctuation, in the singular."""
