import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrec.serving.server.options import Policy
from tfrec.serving.server.versions import found_versions, version_folders, wanted_versions


def test_e2_numbers_with_leading_zeros_count_and_other_names_do_not():
    names = ["1", "00000123", "2a", "-3", "x", "1.5", "²", "99999999999999999999", ".4", "7/"]
    assert version_folders(names) == {1: "1", 123: "00000123", 7: "7"}


def test_e2_two_names_of_one_version_give_one_and_a_warning(caplog):
    assert set(version_folders(["001", "1"])) == {1}
    assert "both name version 1" in caplog.text


@given(st.sets(st.integers(0, 10**6)), st.integers(1, 5))
def test_e1_latest_policy_takes_the_highest_numbers(numbers, count):
    found = {number: str(number) for number in numbers}
    assert set(wanted_versions(found, Policy("latest", count))) == set(sorted(numbers)[-count:])


def test_e1_specific_policy_warns_of_what_is_missing(caplog):
    found = {1: "1", 2: "2"}
    assert wanted_versions(found, Policy("specific", versions=(2, 5))) == {2: "2"}
    assert "version 5" in caplog.text
    assert wanted_versions(found, Policy("all")) == found


def test_paths_of_versions_and_a_missing_folder(tmp_path):
    (tmp_path / "3").mkdir()
    assert found_versions(f"{tmp_path}/") == {3: f"{tmp_path}/3"}
    with pytest.raises(OSError, match="missing"):
        found_versions(str(tmp_path / "missing"))
