"""How lanes are computed: one patient in one arm (`solve`), many of them (`batch`); no biology."""
