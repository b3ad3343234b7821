"""The one error a user can cause and fix."""

from medattn.base.printable import printable


class InputError(Exception):
    """Something given to medattn cannot be used. The message names file, row, value and remedy; exit code 2.

    What the message quotes can hold anything: it is made printable here, so that no terminal obeys it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))
