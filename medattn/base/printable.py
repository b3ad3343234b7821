"""Text that a study or a model holds, as people see it: never an instruction to a terminal, a page or a typesetter."""


def printable(text: str) -> str:
    """`text` with every character that is not shown as itself written as its code ("\\x1b", "\\u202e").

    Such are control characters, escapes of a terminal, marks of direction and characters without width. Line ends and tabs
    stay; every kind of space is a space.
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in "\n\t" else _code(letter) for letter in text)


def _code(letter: str) -> str:
    return " " if letter.isspace() and letter > "\x7f" else letter.encode("unicode_escape").decode("ascii")
