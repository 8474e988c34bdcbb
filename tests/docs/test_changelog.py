"""Form of the changelog: versions, their sections, short entries."""

import re
from pathlib import Path

import qsp

TEXT = (Path(__file__).parents[2] / "CHANGELOG.md").read_text(encoding="utf-8")
SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
VERSIONS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)


def test_versions_have_dates_and_the_newest_is_that_of_the_package():
    assert VERSIONS[0].split(" - ")[0] == qsp.__version__
    for version in VERSIONS:
        assert re.fullmatch(r"\d+\.\d+\.\d+ - (unreleased|\d{4}-\d\d-\d\d)", version)
    assert not any(version.endswith("unreleased") for version in VERSIONS[1:])


def test_sections_are_those_of_keep_a_changelog_in_their_order():
    for part in re.split(r"^## .+$", TEXT, flags=re.MULTILINE)[1:]:
        names = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert names == [name for name in SECTIONS if name in names]


def test_entries_have_one_or_two_lines():
    for entry in re.findall(r"^\* .+(?:\n  .+)*", TEXT, re.MULTILINE):
        assert len(entry.splitlines()) <= 2, entry
