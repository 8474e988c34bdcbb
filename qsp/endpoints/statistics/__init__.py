"""Statistics of endpoints: rates with intervals, quantiles over patients, blocks of patients."""
