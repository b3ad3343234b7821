"""What a terminal would obey is written as a code; all else stays."""

import pytest

from medattn.base.errors import InputError
from medattn.base.printable import printable


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a plain line\nand\ttabs, é, 肺, −, “quotes”, $x_{$, <b>, %s, {0}, \\n", None),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x00\x08\r\x7f\x9b31m", r"\x00\x08\r\x7f\x9b31m"),
        ("\u202egpj.exe\u2066\u200f", r"\u202egpj.exe\u2066\u200f"),
        ("zero\u200bwidth\ufeff\u00ad", r"zero\u200bwidth\ufeff\xad"),
        ("no\u00a0break\u3000space", "no break space"),
        ("\u2028\u2029\x85", "   "),
        ("\ud800\U000e0041\ue000", r"\ud800\U000e0041\ue000"),
        ("", ""),
    ],
)
def test_what_does_not_show_itself_is_a_code(text, shown):
    assert printable(text) == (text if shown is None else shown)
    assert printable(printable(text)) == printable(text)


def test_no_error_message_reaches_a_terminal_as_a_command():
    assert str(InputError("questions.csv: finding is \x1b[31mred\u202e\nremedy")) == (
        "questions.csv: finding is \\x1b[31mred\\u202e\nremedy"
    )
