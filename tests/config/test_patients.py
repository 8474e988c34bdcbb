"""Patients of a run: by number, from a dose table, or from a file of covariates."""

import pytest

from qsp.config import Roster, load
from qsp.config.patients import patient_ids
from qsp.errors import ConfigError

HEAD = """
molecule = "mosunetuzumab"
population = "nhl"
patients = 4
days = 84
response = "lugano"
"""

ARM = (
    HEAD
    + """
[arms.one]
doses = [{ period = "FD", time = "0 day", amount = "1 mg", route = "sc" }]
"""
)


def test_dose_table_sets_the_number_of_patients(write):
    write("ID,TIME,AMT,EVID,CMT\n1,0,1,1,depot\n2,0,2,1,depot\n3,0,3,1,depot\n", "doses.csv")
    text = HEAD + 'dose_table = { file = "doses.csv" }'
    path = write(text.replace("patients = 4\n", ""))
    assert load(path).patients == 3
    fewer = load(path, ["patients=2"])
    assert fewer.patients == len(fewer.trial(146.0).arms[0].regimens) == 2
    one = load(path, ["patients=1"]).trial(146.0)
    assert len(one.arms[0].regimens) == 1


OF_PATIENTS = "ID,TIME,AMT,EVID,CMT\n12,0,3,1,depot\n5,0,1,1,depot\n7,0,2,1,depot\n"


@pytest.fixture
def table_config(write):
    def of(table):
        write(table, "doses.csv")
        head = HEAD.replace("patients = 4\n", "")
        return write(head + 'dose_table = { file = "doses.csv" }')

    return of


def doses_mg(config):
    arm = config.trial(150.0).arms[0]
    return [regimen.administrations[0].amount.value * 0.15 for regimen in arm.regimens]


def test_ids_of_the_dose_table_are_those_of_the_run(table_config):
    config = load(table_config(OF_PATIENTS))
    assert config.patient_ids == (5, 7, 12)
    assert doses_mg(config) == pytest.approx([1.0, 2.0, 3.0])
    assert config.trial(150.0).arms[0].patients == (5, 7, 12)
    assert config.notes == ()


def test_fewer_patients_than_the_table_are_its_first_with_a_note(table_config):
    config = load(table_config(OF_PATIENTS), ["patients=2"])
    assert config.patient_ids == (5, 7)
    assert config.notes == ("doses.csv has doses for 3 patients; the run has 2: 5, 7.",)


def test_doses_of_one_id_are_for_as_many_patients_as_the_config_says(table_config):
    path = table_config("ID,TIME,AMT,EVID,CMT\n9,0,1,1,depot\n")
    assert tuple(load(path).patient_ids) == (0,)
    assert tuple(load(path, ["patients=3"]).patient_ids) == (0, 1, 2)


class TestGivenPatients:
    """A file that names patients says who is in the run."""

    def test_they_are_the_patients_of_the_run(self, write):
        config = load(write(ARM), patients=Roster((3, 8), "mine.csv"))
        assert (config.patients, config.patient_ids) == (2, (3, 8))
        assert config.notes == ("The run has the 2 patients of mine.csv, not the 4 of the config.",)

    def test_another_number_is_refused_where_it_was_asked_for(self, write):
        with pytest.raises(ConfigError) as caught:
            load(write(ARM), ["patients=3"], Roster((3, 8), "mine.csv"))
        assert str(caught.value) == (
            "--set patients=3: patients must be the number of patients in mine.csv (2), but is 3. "
            "Leave it out: the file lists the patients."
        )
        assert load(write(ARM), ["patients=2"], Roster((3, 8), "mine.csv")).notes == ()

    def test_each_has_the_doses_of_his_id(self, table_config):
        config = load(table_config(OF_PATIENTS), patients=Roster((5, 12), "mine.csv"))
        assert doses_mg(config) == pytest.approx([1.0, 3.0])
        said = "doses.csv has doses for 3 patients; the run has 2 of mine.csv: 5, 12."
        assert config.notes == (said,)

    def test_one_without_doses_is_refused(self, table_config):
        with pytest.raises(ConfigError) as caught:
            load(table_config(OF_PATIENTS), patients=Roster((5, 6), "mine.csv"))
        assert str(caught.value) == (
            "mine.csv: every id must have doses in doses.csv, but is 6, which has none. "
            "IDs of doses.csv: 5, 7, 12."
        )

    def test_trajectories_are_kept_by_their_ids(self, write):
        text = ARM + "[trajectories]\nids = [8]\n"
        assert load(write(text), patients=Roster((3, 8), "mine.csv")).trajectories.ids == (8,)


def test_doses_of_a_single_id_are_for_patients_counted_from_0():
    one = Roster((7,), "doses.csv")
    assert tuple(patient_ids(1, one, None)) == (0,)
    assert tuple(patient_ids(3, one, None)) == (0, 1, 2)


class TestChosenPatients:
    """A config may list ids, ask for the typical patient, or give draws."""

    def test_ids_are_those_of_the_run(self, write):
        config = load(write(ARM), ["patients=[2, 5]"])
        assert config.patient_ids == (2, 5)
        assert config.trial(150.0).patients == 2

    def test_ids_choose_from_a_dose_table(self, table_config):
        config = load(table_config(OF_PATIENTS), ["patients=[5, 12]"])
        assert doses_mg(config) == pytest.approx([1.0, 3.0])

    def test_typical_patient_is_one(self, write):
        config = load(write(ARM), ["patients=typical"])
        assert config.is_typical
        assert config.patient_ids == (0,)

    def test_draws_are_one_for_all_or_one_for_each(self, write):
        config = load(write(ARM + "[draws]\nt_cells.k_act = [-1, 0, 1, 2]\nxi_patient = 0.5\n"))
        assert config.draws == {"t_cells.k_act": (-1.0, 0.0, 1.0, 2.0), "xi_patient": (0.5,)}

    def test_file_of_patients_replaces_ids_but_not_draws(self, write):
        file = Roster((3, 8), "mine.csv")
        config = load(write(ARM.replace("patients = 4", "patients = [1, 2, 9]")), patients=file)
        assert config.notes == ("The run has the 2 patients of mine.csv, not those of the config.",)
        assert config.patient_ids == (3, 8)
        with pytest.raises(ConfigError, match=r"draws must not be given with the patients of mine"):
            load(write(ARM + "[draws]\nxi_patient = 0.5\n"), patients=file)
