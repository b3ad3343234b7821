"""The headline says what is missing from it."""

import json

import pytest

from medattn import headline
from medattn.base import paths
from medattn.base.errors import InputError
from medattn.figures.inputs import read_results
from medattn.metrics.stage import run
from tests.metrics.conftest import make_params
from tests.metrics.failing import failing_root

WHERE = "could not be computed and count nowhere above: results/failures.csv says why."


@pytest.mark.parametrize(
    ("fails", "last"),
    [
        (lambda row: row["shown_image_id"] == "i1", f"10 of 48 samples {WHERE}"),
        (lambda row: row["condition"] == "clean", f"16 of 48 samples {WHERE}"),
    ],
)
def test_samples_that_failed_are_counted_with_where_to_look(tmp_path, fails, last):
    root = failing_root(tmp_path, fails)
    run(make_params(), root)
    assert headline.lines(root)[-1] == last


def test_a_complete_run_says_nothing_of_failures(tmp_path):
    root = failing_root(tmp_path, lambda row: False)
    run(make_params(), root)
    assert "could not be computed" not in "\n".join(headline.lines(root))


def test_a_count_that_is_suppressed_is_a_few(tmp_path):
    root = failing_root(tmp_path, lambda row: row["sample_id"] == "q1-v0-clean")
    run(make_params(), root)
    numbers = json.loads((root / paths.METRICS).read_text())
    (root / paths.METRICS).write_text(json.dumps(numbers | {"n_failed": None}))
    assert headline.lines(root)[-1] == f"A few of 48 samples {WHERE}"


def test_results_of_another_version_are_told_by_one_message(tmp_path):
    root = failing_root(tmp_path, lambda row: False)
    run(make_params(), root)
    numbers = json.loads((root / paths.METRICS).read_text())
    numbers["js_other_wording"] = numbers.pop("js_other_variant")
    (root / paths.METRICS).write_text(json.dumps(numbers))
    for reader in (headline.lines, read_results):
        with pytest.raises(InputError, match=r"no js_other_variant: these results are of another version .*: run `dvc repro`"):
            reader(root)
