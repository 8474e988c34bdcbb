"""The figures that the functions of `qsp.plots` return."""

from __future__ import annotations

import io

import matplotlib.figure


class Figure(matplotlib.figure.Figure):
    """A matplotlib figure that a notebook displays without pyplot or a GUI backend.

    IPython shows a plain `matplotlib.figure.Figure` as text unless pyplot has registered an image
    formatter; with `_repr_png_`, the figure is shown as an image in either case.
    """

    def _repr_png_(self) -> bytes:
        """Return the figure as PNG, at its own resolution."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png")
        return buffer.getvalue()
