"""Rounding against exact decimal arithmetic."""

import subprocess
import sys
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np
import pytest

from medattn.base.rounding import round_number, round_significant


def decimal_rounded(value: float, digits: int) -> float:
    exact = Decimal(value)
    if exact == 0:
        return 0.0
    unit = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return float(exact.quantize(unit, rounding=ROUND_HALF_EVEN))


@pytest.mark.parametrize("digits", [5, 6])
def test_arrays_are_rounded_as_decimal_arithmetic_does(digits):
    noise = np.random.default_rng(0)
    values = np.concatenate([10.0 ** noise.uniform(-12, 3, 5000), -(10.0 ** noise.uniform(-6, 0, 500)), [0.0, 1.0, 0.1, 1e-20]])
    expected = np.array([decimal_rounded(value, digits) for value in values], dtype=np.float32)
    np.testing.assert_array_equal(round_significant(values, digits), expected)
    assert round_significant(values, digits).dtype == np.float32


def test_the_last_bits_of_a_value_do_not_show():
    values = np.random.default_rng(1).random(10_000)
    other = values * (1 + 1e-14)
    np.testing.assert_array_equal(round_significant(values, 5), round_significant(other, 5))


def test_numbers_of_tables_have_six_digits_and_a_floor():
    for value in 10.0 ** np.random.default_rng(2).uniform(-8, 6, 2000):
        assert round_number(value) == decimal_rounded(value, 6)
    assert round_number(9.9e-10) == 0 and round_number(-1e-12) == 0
    assert str(round_number(-1e-12)) == "0.0"  # never −0
    with pytest.raises(ValueError, match="expected a finite number"):
        round_number(float("nan"))


def test_a_process_reports_how_close_it_came_to_a_rounding_boundary(tmp_path):
    code = "from medattn.base.rounding import *; round_significant([0.123455001, 0.5, 1 / 256], 5); round_number(0.25)"
    log = tmp_path / "log"
    subprocess.run([sys.executable, "-c", code], check=True, env={"MEDATTN_ROUNDING": str(log)})
    distance, count, ties = log.read_text().split()
    assert float(distance) == pytest.approx(1e-9 / 0.123455, rel=1e-3)
    assert (count, ties) == ("3", "1")  # 1/256 = 0.00390625 lies between two numbers of five digits
