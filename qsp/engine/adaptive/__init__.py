"""Adaptive dosing: decisions at visits, and the administrations that follow from them."""
