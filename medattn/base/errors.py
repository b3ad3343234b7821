"""The one error a user can cause and fix."""

from medattn.base.printable import printable


class InputError(Exception):
    """Something given to medattn cannot be used. The message names file, row, value and remedy; exit code 2.

    What the message quotes can hold anything: it is made printable here, so that no terminal obeys it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def told(error: Exception) -> str:
    """An exception's kind and text. Its repr would show every byte of a text that cannot be decoded."""
    return f"{type(error).__name__}: {error}"
