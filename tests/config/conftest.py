"""A folder with an empty population for the configs of tests."""

import pytest


@pytest.fixture
def write(tmp_path):
    (tmp_path / "populations").mkdir()
    (tmp_path / "populations" / "nhl.toml").touch()

    def to(text, name="trial.toml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to
