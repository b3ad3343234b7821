"""Columns of the tables, which are read as text."""

import pandas as pd

from medattn.disclosure.suppression import SUPPRESSED

PROFILE = "decision"  # the profile whose grids and metrics are drawn
PREFIX = f"{PROFILE}_"


def numbers(column: pd.Series) -> pd.Series:
    """A column of text as floats: empty and suppressed are NaN, true is 1."""
    return pd.to_numeric(column.replace({"": None, SUPPRESSED: None, "true": "1", "false": "0"}))
