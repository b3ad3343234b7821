"""The one error a user can cause and fix."""


class InputError(Exception):
    """Something given to medattn cannot be used. The message names file, row, value and remedy; exit code 2."""


def told(error: Exception) -> str:
    """An exception's kind and text. Its repr would show every byte of a text that cannot be decoded."""
    return f"{type(error).__name__}: {error}"
