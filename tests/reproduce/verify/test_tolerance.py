"""A user's own bounds take the place of the arithmetic's, and coarser arithmetic has wider ones."""

import pytest

from medattn.base.errors import InputError
from medattn.reproduce.verify.tolerance import TOLERANCES, tolerance


def test_an_own_bound_takes_the_place_of_the_arithmetics():
    assert tolerance("float64") == TOLERANCES["float64"]
    assert tolerance("float32", absolute=0.5).absolute == tolerance("float32", absolute=0.5).floor == 0.5
    assert tolerance("bfloat16", relative=0.0, pixels=1.0).relative == 0
    for wrong in ({"absolute": -1.0}, {"relative": float("nan")}, {"pixels": -0.1}):
        with pytest.raises(InputError, match="give 0 or more"):
            tolerance("float64", **wrong)


def test_coarser_arithmetic_has_wider_bounds():
    one, two, three = (TOLERANCES[name] for name in ("float64", "float32", "bfloat16"))
    for name in ("absolute", "relative", "floor", "share"):
        assert getattr(one, name) < getattr(two, name) < getattr(three, name)
