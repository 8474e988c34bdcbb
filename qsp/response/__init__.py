"""Response of the disease at the visits of a trial, by the disease's own rule.

A rule turns the measures of one patient at the visits into `outcomes.Outcomes`: the category at
each visit, the best response, and the times and durations of response and progression. There is one
rule in each module: `lugano.Lugano` for lymphoma, `recist.Recist` for solid tumors, `imwg.Imwg` for
myeloma and `blasts.Blasts` for acute lymphoblastic leukemia. `geometry` measures lesions,
`m_protein` has the kinetics of the M-protein, and `assessment` applies the rules to simulated
patients.

All functions are those of one patient and written in JAX: `jax.vmap` applies them to many patients,
also inside a compiled program. They know neither the equations of the tumor nor the solver. A NaN
in a measure is a missed visit, and a NaN in the baseline of a lesion is a lesion that the patient
does not have. Missed visits are skipped: a visit before and one after are consecutive.

`category` and `rules` do not import JAX, so that endpoints and figures may use the names of the
categories and of the rules.
"""
