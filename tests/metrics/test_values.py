"""A value keeps the rows that it was computed from, and costs no more than a list of them."""

from medattn.metrics.values import NOBODY, Value, mean_of, present, questions_of, selection_of

ROWS = [{"question_id": f"q{number}", "variant_index": number % 2, "margin": float(number)} for number in range(4)]


def test_a_selection_is_what_its_rows_are_about():
    assert set(selection_of(ROWS).units()) == {("q0", 0), ("q1", 1), ("q2", 0), ("q3", 1)}
    assert set(questions_of(ROWS[:2]).units()) == {("question", "q0"), ("question", "q1")}
    assert set(selection_of([{"image_id": "i", "n": 1}]).units()) == {("image", "i")}
    assert selection_of([]) == selection_of(iter(())) == NOBODY


def test_what_is_derived_is_computed_from_both():
    one, other = Value.of(ROWS[:1], 1.0), Value.of(ROWS[1:3], 3.0)
    assert set(one.minus(other).selection.units()) == {("q0", 0), ("q1", 1), ("q2", 0)} and one.minus(other).number == -2


def test_rows_that_all_have_a_value_are_the_very_same_list():
    assert present(ROWS, "margin") is ROWS and mean_of(ROWS, "margin").selection == selection_of(ROWS)
    gap = [*ROWS, {"question_id": "q4", "variant_index": 0, "margin": None}]
    assert present(gap, "margin") == ROWS and mean_of(gap, "margin").selection != selection_of(gap)
