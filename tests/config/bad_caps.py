"""Caps that are refused: text of the valid config, and its replacement."""

STEP_1 = 'amount = "1 mg", route = "iv", duration = "4 hour"'
STEROID = 'amount = "20 mg"'

CAPS = {
    **{
        name: (STEP_1, f"{STEP_1.replace('1 mg', amount)}, cap = {cap}")
        for name, amount, cap in (
            ("cap of an amount for everyone", "1 mg", '"800 mg"'),
            ("cap by weight", "8 mg/kg", '"800 mg/kg"'),
            ("cap of 0", "8 mg/kg", '"0 mg"'),
            ("cap as a rate", "8 mg/kg", '"800 mg/day"'),
            ("cap in moles", "8 mg/m^2", '"800 nmol"'),
            ("cap without unit", "8 mg/kg", '"800"'),
            ("cap as a number", "8 mg/kg", "800"),
        )
    },
    "premedication with a cap by weight": (STEROID, 'amount = "1 mg/kg"\ncap = "1 mg/kg"'),
}
