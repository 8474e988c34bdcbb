"""`qsp diff`: two runs of the same patients on the terminal, and refusals."""

import pytest

from qsp.endpoints import differences, utility
from qsp.report.differences import difference_table, preference_table
from qsp.results import load, save
from tests.run.conftest import call
from tests.synthetic import with_record


@pytest.fixture(scope="module")
def runs(small_run, tmp_path_factory):
    """Folders of the small run, and of the same results with another seed in their record."""
    first = small_run[0]
    other = tmp_path_factory.mktemp("runs") / "seed_9"
    other.mkdir()
    with load(first / "results.nc") as results:
        changed = results.copy(deep=True)
    changed.attrs.update(with_record(changed.to_dataset(), seed=9).attrs)
    save(changed, other / "results.nc")
    return first, other


def arms(folder):
    with load(folder / "results.nc") as results:
        return [str(name) for name in results["arm"].values]


def test_tables_have_every_number_of_the_comparison(runs):
    one, two = arms(runs[0])
    done = call(
        "diff", runs[0], runs[0], "--arm", one, "--reference", two, "--trial-size", 40, "--all"
    )
    assert done.code == 0, done.err
    assert "Monte Carlo only: parameters fixed" in done.out
    with load(runs[0] / "results.nc") as results:
        options = {"arms": (one, two), "names": (str(runs[0]), str(runs[0]))}
        sampling = differences.Sampling(40)
        frame = differences.between(results, results, **options, sampling=sampling)
        preferences = utility.between(results, results, **options, sampling=sampling)
    words = " ".join(done.out.split())
    for table in (difference_table(frame), preference_table(preferences)):
        for group in table.groups:
            for row in group.rows:
                assert all(cell.split(" (")[0] in words for cell in row[1:])
    assert max(map(len, done.out.splitlines())) <= 80


def test_arms_of_the_same_name_are_compared(runs):
    done = call("diff", runs[0], runs[0])
    assert done.code == 0
    for name in arms(runs[0]):
        assert f"{name} minus" in " ".join(done.out.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((0, 1), "the seed must be the same, but is 3 and 9: refused, not compared unpaired"),
        ((0, "nothing"), "the folder must hold a run"),
        ((0, 0, "--arm", "flt"), "the arm must be one of the run, but is 'flt'"),
        ((0, 0, "--reference", "flat"), "--reference: it needs --arm, but is 'flat'"),
        ((0, 0, "--trial-size", "0"), "the number of patients must be at least 1, but is 0"),
    ],
    ids=lambda words: None if isinstance(words, tuple) else words[:30],
)
def test_invalid_input_is_one_line(runs, words, message):
    done = call("diff", *(runs[w] if isinstance(w, int) else w for w in words))
    assert done.code == 2
    assert message in done.err
    assert done.err.count("\n") == 1
    assert not done.out


def test_sentence_of_a_run_names_the_reference(small_run):
    """The summary on the terminal compares the second arm with the first."""
    first, second = arms(small_run[0])
    said = " ".join(small_run[1].out.split())
    assert f"{second} minus {first}, same patients: CRS, any" in said
    assert "higher utility with probability" in said
