"""Which samples are drawn: by rule, never by id, so nobody picks the pretty ones."""

from collections.abc import Sequence

import pandas as pd

from medattn.base.params.figures import Examples
from medattn.figures.columns import PREFIX

ADMITS = {
    "any": lambda rows: rows,
    "correct": lambda rows: rows[rows.correct == "true"],
    "incorrect": lambda rows: rows[rows.correct == "false"],
    "flipped": lambda rows: rows[rows.flip == "true"],
}


def choose(clean: pd.DataFrame, rules: Sequence[Examples]) -> tuple[pd.DataFrame, list[str]]:
    """The chosen rows of `clean` (sorted by sample_id), each once, and a note for every rule that found too few.

    A rule takes the `n` lowest sample_ids per value of its column, of those that `pick` admits.
    """
    chosen, notes = [], []
    for rule in rules:
        admitted = ADMITS[rule.pick](clean)
        for value in sorted(set(clean[rule.per])):
            some = admitted[admitted[rule.per] == value].head(rule.n)
            if len(some) < rule.n:
                notes.append(f"{rule.per} {value}: {len(some)} of {rule.n} {rule.pick} examples")
            chosen.append(some)
    rows = pd.concat(chosen) if chosen else clean.head(0)
    return rows.drop_duplicates("sample_id").sort_values("sample_id", ignore_index=True), notes


def first_with_region(clean: pd.DataFrame, rules: Sequence[Examples]) -> pd.Series | None:
    """The row the example figure shows: the first that the first rule admits, if possible with a true region."""
    for rows in (ADMITS[rules[0].pick](clean), clean):
        for some in (rows[rows[f"{PREFIX}region_mass"] != ""], rows):
            if len(some):
                return some.iloc[0]
    return None
