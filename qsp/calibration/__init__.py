"""Calibration: parameters of the model from published facts.

`least_squares` is the algorithm, `event_probability` integrates CRS over the random thresholds, and
`problem` is the recorded problem of `scripts/calibrate`.
"""
