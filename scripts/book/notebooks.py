"""Notebooks of the documentation: stored without outputs, and shown as pages.

`pages` turns each notebook into Markdown without running it: a page has the text and the code, and
a link to the notebook itself. `stripped` is the form in which a notebook is stored: text and code
alone, so that a change of either is a readable diff.
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def files() -> tuple[Path, ...]:
    """Return the paths of all notebooks."""
    return tuple(sorted(FOLDER.glob("*.ipynb")))


def read(path: Path) -> NotebookNode:
    """Return a notebook in the current format.

    Raises:
        nbformat.ValidationError: If the file is no valid notebook.
    """
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def stripped(notebook: NotebookNode) -> NotebookNode:
    """Return a copy with text and code only.

    Outputs, counts of execution and metadata are left out, and ids are the ordinals of the cells.
    """
    cells = []
    for n, cell in enumerate(notebook.cells):
        new = new_code_cell if cell.cell_type == "code" else new_markdown_cell
        cells.append(new(cell.source, id=str(n)))
    return new_notebook(cells=cells, metadata=_METADATA, nbformat_minor=5)


def text(notebook: NotebookNode) -> str:
    """Return the content of the file of a notebook."""
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def pages() -> dict[str, str]:
    """Return the Markdown of every notebook, by path below ``docs``."""
    return {f"{FOLDER.name}/{path.stem}.md": page(read(path), path.name) for path in files()}


def page(notebook: NotebookNode, name: str) -> str:
    """Return a notebook as Markdown.

    Args:
        notebook: Notebook; its first cell begins with the title.
        name: Name of its file, to which the page links.
    """
    parts = [_code(cell) if cell.cell_type == "code" else _linked(cell) for cell in notebook.cells]
    title, _, rest = parts[0].partition("\n")
    download = f"[Download this notebook]({name}){{ download }} and run it to see its figures."
    return "\n\n".join([title, download, rest.strip(), *parts[1:]]) + "\n"


def _code(cell: NotebookNode) -> str:
    """Return a code cell in a fence that is longer than any inside it."""
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", cell.source)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}python\n{cell.source}\n{fence}"


def _linked(cell: NotebookNode) -> str:
    """Return the text of a cell; links to notebooks lead to their pages."""
    return re.sub(r"\]\(([\w/.-]+)\.ipynb\)", r"](\1.md)", cell.source)
