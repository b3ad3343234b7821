import numpy as np
import pytest

from medattn.attention.gating import TermFinder, TermMatch, equal_gates, gates, term_tokens

FIND = TermFinder(["effusion", "pleural effusion", "nodule", "pneumothorax", "opacity", "mass", "atelectasis", "lung nodule"])


def names(question: str) -> list[str]:
    return [one.term for one in FIND(question)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Is there a nodule?", ["nodule"]),
        ("Nodules present?", ["nodule"]),
        ("Are PNEUMOTHORACES seen?", ["pneumothorax"]),
        ("Any opacities?", ["opacity"]),
        ("Any masses?", ["mass"]),
        ("Bibasilar atelectases?", ["atelectasis"]),
        ("Is there pleural effusion?", ["pleural effusion"]),
        ("Are there pleural\n  effusions or a nodule?", ["pleural effusion", "nodule"]),
        ("effusion, pleural", ["effusion"]),
        ("Is a lung nodule seen?", ["lung nodule"]),
        ("Is it massive? Micronodule? Effusional?", []),  # never inside a longer word
        ("", []),
    ],
)
def test_terms_are_whole_words_with_plurals_and_the_longest_counts(question, expected):
    assert names(question) == expected


def test_a_found_term_knows_its_characters():
    question = "Is there pleural effusion?"
    (found,) = FIND(question)
    assert question[found.start : found.end] == "pleural effusion"


def test_sub_words_are_matched_by_their_characters():
    #           Is     ▁there ▁nod    ule      ?         empty token at the end
    offsets = [(0, 2), (2, 8), (8, 12), (12, 15), (15, 16), (16, 16)]
    question = "Is there nodule?"
    (found,) = FIND(question)
    assert (found.start, found.end) == (9, 15)
    assert term_tokens(offsets, [found]).tolist() == [False, False, True, True, False, False]


def test_a_token_of_the_space_before_a_term_is_not_part_of_it():
    assert term_tokens([(0, 2), (2, 3), (3, 9)], [TermMatch("nodule", 3, 9)]).tolist() == [False, False, True]


def test_gates_are_the_terms_share_of_the_prompt_normalised_over_rows():
    # one layer, two heads, three rows
    term = np.array([[[0.1, 0.3, 0.0], [0.3, 0.1, 0.2]]])
    prompt = np.array([[[1.0, 0.8, 0.5], [1.0, 0.8, 0.5]]])
    share = np.array([0.2 / 1.0, 0.2 / 0.8, 0.1 / 0.5])  # head means, then the ratio
    np.testing.assert_allclose(gates(term, prompt), [share / share.sum()], rtol=1e-15)


def test_gates_need_some_attention_to_a_term():
    with pytest.raises(ValueError, match="no row attends"):
        gates(np.zeros((1, 2, 3)), np.ones((1, 2, 3)))


def test_equal_gates_sum_to_one():
    np.testing.assert_allclose(equal_gates(2, 5), np.full((2, 5), 0.2))
