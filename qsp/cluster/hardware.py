"""What computes here, as far as last digits follow from it."""

import jax

from qsp.native import processor


def device() -> str:
    """Kind of the processor or accelerator; runs on two of one kind have the same bits."""
    first = jax.devices()[0]
    return processor() if first.platform == "cpu" else first.device_kind
