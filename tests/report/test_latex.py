"""LaTeX that compiles: names of letters only, every special character escaped, shares in per cent."""

import re

import pytest

from medattn.base import paths
from medattn.base.errors import InputError
from medattn.report import latex
from medattn.report.tables import LAYOUTS, Column, Layout

LAYOUT = Layout(
    ("strategy",),
    (
        Column("Strategy", "strategy"),
        Column("n", "n", "count"),
        Column("Accuracy", "accuracy", "share", "low", "high"),
        Column("p", "p", "p"),
    ),
    "Costs 5 % & more.",
    "words",
)
ROWS = [
    {"strategy": "no_image", "n": "10", "accuracy": "0.95", "low": "0.9", "high": "1.0", "p": "0.0001"},
    {"strategy": "voice", "n": "9", "accuracy": "", "low": "", "high": "", "p": "0.25"},
]


def test_a_table_has_booktabs_rules_intervals_and_escaped_text():
    made = latex.table(ROWS, LAYOUT, "")
    assert [line for line in made.splitlines() if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\bottomrule"]
    assert r"Costs 5 \% \& more." in made
    assert r"no image & 10 & $95.0\ [90.0, 100.0]$ & $<0.001$ \\" in made
    assert r"voice & 9 &  & $0.250$ \\" in made
    assert made.count(r"\begin") == made.count(r"\end") == 2


@pytest.mark.parametrize(
    "parts, name",
    [
        (("robustness", "rotation", "-10"), "RobustnessRotationMinusOneZero"),
        (("robustness", "blur", "0.05"), "RobustnessBlurZeroPointZeroFive"),
        (("flips", "yes→no", "js"), "FlipsYesToNoJs"),
        (("by finding", "pleural effusion", "n"), "ByFindingPleuralEffusionN"),
    ],
)
def test_a_macros_name_is_letters_only_and_says_what_it_is(parts, name):
    assert latex.macro_name(*parts) == name


@pytest.mark.parametrize("text, kind, shown", [("0.123456", "share", "12.3"), ("0.000012", "number", r"1.2\cdot10^{-5}"),
                                               ("1234.5", "number", r"1.23\cdot10^{3}"), ("", "share", ""),
                                               ("-0.5", "number", "-0.5")])  # fmt: skip
def test_numbers_are_written_as_a_manuscript_does(text, kind, shown):
    assert latex.shown(text, kind) == shown


def test_each_number_has_one_command_and_what_is_empty_has_none(monkeypatch):
    monkeypatch.setattr(latex, "LATEX", {"by_strategy": LAYOUT})
    made = latex.values({"by_strategy": ROWS}, {"accuracy_all": 0.8, "n_samples": 12, "consistency": None}, "")
    names = re.findall(r"\\newcommand\{\\(\w+)\}", made)
    assert len(names) == len(set(names)) and all(name.isalpha() for name in names)
    assert r"\newcommand{\MedattnAccuracyAll}{\ensuremath{80.0}}" in made
    assert "ByStrategyVoiceAccuracy" not in made and "MedattnConsistency" not in made


def test_two_numbers_of_one_name_are_an_error(monkeypatch):
    monkeypatch.setattr(latex, "LATEX", {"by_strategy": LAYOUT})
    with pytest.raises(InputError, match=r"would both be called .* rename one of them"):
        latex.values({"by_strategy": [ROWS[0], ROWS[0] | {"strategy": "no image"}]}, {}, "")


def test_every_layout_names_columns_that_the_tables_have():
    from medattn.metrics import published
    from medattn.metrics.table import declared

    columns = {table.name: table.columns for table in declared() if table.output == paths.TABLES}
    columns["published"] = published.COLUMNS
    for name, layout in LAYOUTS.items():
        for column in layout.columns:
            assert {column.name, column.low, column.high} - {None} <= set(columns[name]), (name, column.name)
