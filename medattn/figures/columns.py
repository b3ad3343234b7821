"""Columns of the tables, which are read as text."""

import pandas as pd

from medattn.disclosure.suppression import WITHHELD

PROFILE = "decision"  # the profile whose grids and metrics are drawn
PREFIX = f"{PROFILE}_"


def numbers(column: pd.Series) -> pd.Series:
    """A column of text as floats: empty and withheld are NaN, true is 1."""
    return pd.to_numeric(column.replace({"": None, WITHHELD: None, "true": "1", "false": "0"}))
