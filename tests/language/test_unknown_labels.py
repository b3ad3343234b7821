"""A variant whose strategy label is not known is kept, counted and shown as "other", from the manifest to the figure."""

import pandas as pd
import pytest

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.base.params import whole as params
from medattn.checks.study_check import digest
from medattn.figures.charts.accuracy_by_strategy import draw
from medattn.metrics.tables import strategies
from medattn.prepare import run
from tests.conftest import change, read
from tests.metrics.handmade import PARAMS, plain, row
from tests.test_prepare import made, root, set_params  # noqa: F401 (fixtures)


def relabel(root, labels):  # noqa: F811
    """Give the variants of every question these labels, by variant_index."""

    def put(rows):
        for one in rows:
            one["strategy"] = labels.get(one["variant_index"], one["strategy"])

    change(root / "data/questions.csv", put)
    set_params(root, study_digests={"data": digest(root / "data")})


def test_prepare_says_which_labels_are_not_known_and_keeps_them(root):  # noqa: F811
    relabel(root, {"1": "Emoji style", "2": "Synonym ('a' for 'b') + irony", "3": "Clause (fronted)"})
    output = run(params.load(root / "params.yaml"), root)
    assert "; strategy labels not known, kept as they are: 'Emoji style' (3), 'irony' (3)" in output
    found = {(one["variant_index"], one["strategy"], one["strategies"]) for one in read(root / paths.MANIFEST)}
    assert found == {
        ("0", "baseline", "baseline"), ("1", "other", "Emoji style"), ("2", "synonym", "synonym+irony"),
        ("3", "clause", "clause"), ("4", "register", "register"), ("5", "voice", "voice"),
    }  # fmt: skip


def test_nothing_is_reported_where_every_label_is_known(root):  # noqa: F811
    assert "labels" not in run(params.load(root / "params.yaml"), root)


@pytest.mark.parametrize("label, message", [
    ("", "strategy is empty: name the variant's strategy"),
    ("Original", "strategy is 'Original' with variant_index 1: baseline belongs to 0, and only to 0"),
])  # fmt: skip
def test_an_empty_label_and_one_of_the_baseline_are_refused_for_a_variant(root, label, message):  # noqa: F811
    relabel(root, {"1": label})
    with pytest.raises(InputError) as error:
        run(params.load(root / "params.yaml"), root)
    assert message in str(error.value)


def test_other_comes_after_the_known_strategies_in_table_and_figure():
    rows = [row(patient) for patient in range(6)]
    rows += [
        row(patient, "no" if patient < 2 else "yes", variant=1, strategy="other", flip=patient < 2) for patient in range(6)
    ]
    rows += [row(patient, variant=2, strategy="ellipsis", flip=False) for patient in range(6)]
    table = plain(strategies.by_strategy(rows, PARAMS))
    assert [line["strategy"] for line in table] == ["baseline", "ellipsis", "other"]
    assert table[2]["accuracy"] == pytest.approx(4 / 6) and table[2]["p_adjusted"] is not None
    frame = pd.DataFrame(table).fillna({"js_to_baseline": 0.1, "js_low": 0.05, "js_high": 0.2})
    axes = draw(frame, pd.DataFrame({"condition": [], "variants": [], "accuracy": []})).axes
    assert [label.get_text() for label in axes[0].get_yticklabels()] == [
        "baseline\n(n = 6)",
        "ellipsis\n(n = 6)",
        "other\n(n = 6)",
    ]
