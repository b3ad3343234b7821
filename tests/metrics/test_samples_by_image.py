"""Manifest and answers, joined image by image."""

import itertools

import pytest

from medattn.base import paths, sample_tables
from medattn.base.errors import InputError
from medattn.metrics.samples_by_image import samples_by_image

AROUND = '"said" — a, b\n'  # what CSV has to quote


def joined(root):
    return samples_by_image(root / paths.MANIFEST, root / paths.ANSWERS)


def rewrite(path, change):
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(change(lines)))


def test_each_image_comes_once_with_its_samples_in_order_and_what_was_answered(root):
    manifest = sample_tables.read(root / paths.MANIFEST, sample_tables.MANIFEST, "prepare")
    answers = sample_tables.read(root / paths.ANSWERS, sample_tables.ANSWERS, "extract")
    with joined(root) as samples:
        found = list(samples)
        assert len(samples) == len(manifest)
        assert list(samples.with_grid()) == [sample_id for sample_id, row in answers.items() if row["status"] == "ok"]
    images = [[row["image_id"] for row in some] for some, _ in found]
    assert [one[0] for one in images] == sorted({row["image_id"] for row in manifest.values()})
    assert all(len(set(one)) == 1 for one in images)
    for some, said in found:
        assert [row["sample_id"] for row in some] == sorted(said)
        for row in some:
            assert row == manifest[row["sample_id"]]
            assert said[row["sample_id"]] | {"sample_id": row["sample_id"]} == answers[row["sample_id"]]


def test_the_files_may_be_in_any_order(root):
    with joined(root) as samples:
        before = list(samples)
    for path in (root / paths.MANIFEST, root / paths.ANSWERS):
        rewrite(path, lambda lines: [lines[0], *reversed(lines[1:])])
    with joined(root) as samples:
        assert list(samples) == before


def test_text_stays_as_it_is(root):
    with (root / paths.ANSWERS).open() as file:
        first = file.readlines()[1].split(",")
    quoted = '"' + AROUND.replace('"', '""') + '"'
    cells = [first[0], "ok", quoted, *first[-6:]]
    rewrite(root / paths.ANSWERS, lambda lines: [lines[0], ",".join(cells), *lines[2:]])
    with joined(root) as samples:
        _, said = next(iter(samples))
    assert said[first[0]]["answer_text"] == AROUND


def test_nothing_is_left_of_the_join_whatever_happens(root):
    names = sorted(path.name for path in (root / "results").iterdir())
    (root / "results/.samples.part").write_bytes(b"of a run that was killed")

    def killed():
        with joined(root) as samples:
            next(iter(samples))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        killed()
    assert sorted(path.name for path in (root / "results").iterdir()) == names


def status_of(word):
    return lambda lines: [lines[0], lines[1].replace(",ok,", f",{word},"), *lines[2:]]


@pytest.mark.parametrize(
    ("path", "change", "message"),
    [
        (paths.ANSWERS, lambda lines: lines[:-2], r"answers.csv: sample 'q4-v2-no_image' has no answer \(2 in all\): run `dvc"),
        (paths.MANIFEST, lambda lines: lines[:-1], r"answers.csv: sample 'q4c-v0-clean' is not in the manifest \(1 in all\)"),
        (
            paths.ANSWERS,
            status_of("done"),
            r"answers.csv: sample 'q1-v0-clean' has status 'done', expected ok, no_grid, failed",
        ),
        (
            paths.MANIFEST,
            lambda lines: [*lines, lines[1]],
            r"manifest.csv, row 30: sample_id 'q1-v0-clean' is duplicated: run `dvc repro -f prepare`",
        ),
        (
            paths.ANSWERS,
            lambda lines: list(itertools.chain(lines[:3], lines[2:])),
            r"answers.csv, row 4: sample_id 'q1-v0-no_image' is duplicated: run `dvc repro -f extract`",
        ),
        (paths.ANSWERS, lambda lines: lines[:1], r"answers.csv holds no row: run `dvc repro -f extract`"),
    ],
)
def test_files_that_disagree_are_refused_by_name(root, path, change, message):
    rewrite(root / path, change)
    with pytest.raises(InputError, match=message), joined(root):
        pass
