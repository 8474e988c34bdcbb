"""Every key cited in a report has a full reference."""

from qsp import report
from qsp.endpoints import add_best_response
from qsp.report.references import bibliography, resolve
from tests import synthetic
from tests.report.test_page import Page, supplement


def test_key_becomes_a_full_reference():
    (found,) = resolve(["Bender2024"])
    assert found.startswith("Bender2024: Bender, B.; Li, C. C.;")
    assert "Clinical and Translational Science 2024;17:e13825" in found
    assert found.endswith("https://doi.org/10.1111/cts.13825")


def test_keys_are_found_once_each_and_sorted():
    found = resolve(["Li2022; Frey2010", "Frey2010", "", "Bender2024"])
    assert [text.partition(":")[0] for text in found] == ["Bender2024", "Frey2010", "Li2022"]


def test_whole_bibliography_reads_as_text():
    texts = resolve(bibliography())
    assert len(texts) == len(bibliography()) > 10
    assert not any("{" in text or "--" in text or " and others" in text for text in texts)
    assert all("not among" not in text for text in texts)


def test_unknown_key_has_a_note_instead_of_a_reference():
    (found,) = resolve(["Foo2022"])
    assert found.startswith("Foo2022: not among the references of the package")


def test_page_resolves_what_its_parameters_cite(no_figures):
    rows = [{"path": "a", "value": "1", "source": key} for key in ("Hosseini2020", "Frey2010")]
    ds = add_best_response(synthetic.neutral())
    text = Page(report.render(ds, supplement(parameters=rows))).text
    assert "Hosseini2020: Hosseini, Iraj et al. Mitigating the risk" in text
    assert "Frey2010: Frey, N.;" in text
    assert "Poels2025" not in text
