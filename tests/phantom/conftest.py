"""The model tests' tokenizer serves the made model's, too."""

from tests.model.conftest import tokenizer  # noqa: F401 (a fixture)
