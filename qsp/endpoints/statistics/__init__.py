"""Statistics of endpoints: rates with intervals, pooled quantiles, blocks of patients."""
