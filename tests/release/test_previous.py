"""Two releases that differ by a few patients tell about these: the second is refused, unless enough differ or nobody does."""

import shutil
from pathlib import Path

import pytest

from medattn.base.errors import InputError
from medattn.release import pack
from tests.release.conftest import BY_FINDING, added, by_finding, record, refusal, study_tables, write

FEW = "samples of fewer than 5 patients, about whom the two releases together would tell: publish one of the two, or the same"


def run_of(root: Path, patients: int, **more: object) -> None:
    """Let the run be one of these patients, as DVC would have recorded it."""
    for name, content in study_tables(patients, **more).items():
        write(root / name, content)
        write(root / name.removeprefix("made/"), content)
    table = by_finding({"patients": str(patients - len(more.get("left_out", ())))})
    for name in (BY_FINDING, f"made/{BY_FINDING}"):
        write(root / name, table)
    record(root)


def released(root: Path, name: str = "first.tar.gz") -> Path:
    pack.run(root.parent / name, root)
    return root.parent / name


def second(root: Path, *archives: Path) -> list[str]:
    """What the refusal of a further release says; [] if it is written."""
    try:
        pack.run(root.parent / "second.tar.gz", root, archives)
    except InputError as error:
        assert not (root.parent / "second.tar.gz").exists()
        return str(error).splitlines()[1:]
    return []


@pytest.mark.parametrize(
    "change",
    [
        {"patients": 21}, {"patients": 24}, {"patients": 20, "left_out": [7]}, {"patients": 20, "left_out": [1, 2, 3, 4]},
        {"patients": 21, "left_out": [4]}, {"patients": 22, "left_out": [4, 5]}, {"patients": 20, "changed": [9]},
    ],
)  # fmt: skip
def test_a_release_that_differs_by_one_to_four_patients_is_refused(repository, change):
    run_of(repository, 20)
    first = released(repository)
    run_of(repository, **change)
    (line,) = second(repository, first)
    assert line.startswith("results/manifest.csv: role study, condition clean") and FEW in line and "first.tar.gz" in line


@pytest.mark.parametrize("change", [{"patients": 20}, {"patients": 25}, {"patients": 20, "left_out": range(1, 6)}])
def test_the_same_patients_again_and_enough_others_pass(repository, change):
    run_of(repository, 20)
    first = released(repository)
    run_of(repository, **change)
    assert second(repository, first) == []


def test_every_earlier_release_is_compared(repository):
    run_of(repository, 20)
    first = released(repository)
    run_of(repository, 30)
    between = released(repository, "between.tar.gz")
    run_of(repository, 31)
    assert [line.split(" by samples")[0].split()[-1] for line in second(repository, first, between)] == ["between.tar.gz"]


def test_a_sample_that_failed_in_one_of_them_counts_as_left_out(repository):
    run_of(repository, 20)
    first = released(repository)
    row = (repository / "results/manifest.csv").read_text().splitlines()[1]
    for name in ("results/failures.csv", "made/results/failures.csv"):
        added(repository, name, f"{row.split(',')[0]},{row.split(',')[5]},clean,damaged\n")
    record(repository)
    (line,) = second(repository, first)
    assert FEW in line


def elsewhere(repository: Path, *tables: str) -> Path:
    """A release of a run that this repository's DVC does not have."""
    run_of(repository, 20)
    for name in (BY_FINDING, f"made/{BY_FINDING}"):
        write(repository / name, tables[0])
    record(repository)
    first = released(repository)
    run_of(repository, 40)
    shutil.rmtree(repository / ".dvc/cache")
    for name in (BY_FINDING, f"made/{BY_FINDING}"):
        write(repository / name, tables[1])
    record(repository)
    return first


def test_of_a_run_made_elsewhere_counts_that_differ_by_a_few_are_refused(repository):
    first = elsewhere(repository, by_finding({"patients": "20"}), by_finding({"patients": "22"}))
    (line,) = second(repository, first)
    assert line.startswith(
        f"{BY_FINDING}: row 2: patients is 22, in first.tar.gz 20: the two releases together tell about fewer"
    )


def test_of_a_run_made_elsewhere_equal_counts_tell_nothing_so_it_is_refused(repository):
    first = elsewhere(repository, by_finding({"patients": "20"}), by_finding({"patients": "20"}))
    (line,) = second(repository, first)
    assert line.startswith("first.tar.gz: the run that it packs is not in DVC's cache of this repository")


def test_of_a_run_made_elsewhere_counts_that_differ_by_enough_pass(repository):
    first = elsewhere(repository, by_finding({"patients": "20"}), by_finding({"patients": "40"}))
    assert second(repository, first) == []


@pytest.mark.parametrize("content", [None, b"no archive", b""])
def test_what_is_no_release_is_no_earlier_release(repository, content):
    path = repository.parent / "first.tar.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"--previous .*first\.tar\.gz"):
        pack.run(repository.parent / "second.tar.gz", repository, [path])


def test_a_limited_run_of_a_credentialed_study_is_refused(repository):
    path = repository / "params.yaml"
    path.write_text(path.read_text().replace("limit: null", "limit: 5"))
    assert any(line.startswith("params.yaml: limit is 5: a later release of every question") for line in refusal(repository))
