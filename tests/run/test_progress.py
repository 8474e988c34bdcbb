"""Progress of a run in a notebook, which has no terminal."""

import IPython
import IPython.display

from qsp.run.progress_bar import NotebookProgress, is_notebook


class Handle:
    """Output of a cell."""

    def __init__(self, first):
        self.texts = [first["text/plain"]]

    def update(self, data, raw):
        assert raw
        self.texts.append(data["text/plain"])


def test_a_notebook_shows_one_line_that_counts(monkeypatch):
    handles = []

    def display(data, raw, display_id):
        assert raw
        assert display_id is True
        handles.append(Handle(data))
        return handles[-1]

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(NotebookProgress, "INTERVAL", 0.0)
    with NotebookProgress() as progress:
        progress.compiled(2.14)
        progress.start(1200)
        progress.advance(1000)
        progress.advance(200)
    (handle,) = handles
    assert handle.texts[:4] == [
        "compiling",
        "compiled in 2.1 s",
        "compiled in 2.1 s, 0 of 1,200 patients x arms",
        "compiled in 2.1 s, 1,000 of 1,200 patients x arms",
    ]
    assert handle.texts[-1] == "compiled in 2.1 s, 1,200 of 1,200 patients x arms"


def test_fast_progress_is_shown_at_intervals_and_at_the_end(monkeypatch):
    shown = []
    monkeypatch.setattr(
        IPython.display, "display", lambda data, **_: shown.append(Handle(data)) or shown[-1]
    )
    monkeypatch.setattr(NotebookProgress, "INTERVAL", 3600.0)
    with NotebookProgress() as progress:
        progress.start(1000)
        for _ in range(1000):
            progress.advance(1)
    assert len(shown[0].texts) == 3
    assert "1,000 of 1,000" in shown[0].texts[-1]


def test_only_the_kernel_of_a_notebook_is_a_notebook(monkeypatch):
    assert not is_notebook()
    shell = type("Shell", (), {})()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert not is_notebook()  # IPython in a terminal
    shell.kernel = object()
    assert is_notebook()
