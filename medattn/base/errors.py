"""The one error a user can cause and fix."""


class InputError(Exception):
    """Something given to medattn cannot be used. The message names file, row, value and remedy; exit code 2."""
