"""How many rows are decoded together: as many as fit, and half as many whenever they do not."""

import click
import torch

from medattn.base.errors import InputError
from medattn.model.load import LoadedModel


def weight_bytes(loaded: LoadedModel) -> int:
    """Bytes of the model's parameters and buffers."""
    tensors = [*loaded.model.parameters(), *loaded.model.buffers()]
    return sum(tensor.nbytes for tensor in {tensor.data_ptr(): tensor for tensor in tensors}.values())


def row_bytes(loaded: LoadedModel, tokens: int, captured: int) -> int:
    """Bytes that decoding one row of `tokens` tokens (prompt and answer) takes at its peak, `captured` rows kept.

    Keys and values of every layer; one layer's activations during prefill, its mask twice; logits; the captured rows.
    """
    text, item = loaded.text_config, loaded.model.dtype.itemsize
    head_dim, vocabulary = text.head_dim, text.vocab_size
    cache = 2 * text.num_hidden_layers * text.num_key_value_heads * head_dim * item
    heads = text.num_attention_heads + 2 * text.num_key_value_heads
    activations = (8 * text.hidden_size + 3 * text.intermediate_size + 3 * heads * head_dim) * item
    mask = tokens * (2 * item + 2)
    kept = text.num_hidden_layers * text.num_attention_heads * 4 * (captured + 2)
    return tokens * (cache + activations + mask + kept) + vocabulary * (item + 12)


class BatchBudget:
    """Decides the number of rows that are decoded together."""

    def __init__(self, loaded: LoadedModel, limit: float | None) -> None:
        """limit: GB (10⁹ bytes) of the device's memory that the process may use; None: all there is."""
        self._loaded, self._limit = loaded, limit
        self._most: int | None = None  # once memory has run out
        if limit is not None and loaded.device.type == "cuda":
            total = torch.cuda.get_device_properties(loaded.device).total_memory
            torch.cuda.set_per_process_memory_fraction(min(1.0, limit * 1e9 / total), loaded.device)

    def rows(self, wanted: int, tokens: int, captured: int) -> int:
        """How many of `wanted` rows to decode at once, at least 1; tokens and captured as in row_bytes.

        Raises InputError if not even one is within the limit.
        """
        most = wanted if self._most is None else min(wanted, self._most)
        if self._limit is None:
            return most
        weights, row = weight_bytes(self._loaded), row_bytes(self._loaded, tokens, captured)
        fit = int((self._limit * 1e9 - weights) // row)
        if fit < 1:
            raise InputError(
                f"run.max_memory is {self._limit:g} GB: the model's weights take {weights / 1e9:.2f} GB, and one row"
                f" {row / 1e9:.2f} GB: raise it"
            )
        return min(most, fit)

    def is_short_of(self, rows: int) -> bool:
        """Whether memory has run out with fewer rows than these."""
        return self._most is not None and self._most < rows

    def halve(self, tried: int, error: BaseException) -> None:
        """After `tried` rows were too many: says so the first time. Raises InputError if one row already is."""
        if tried == 1:
            raise InputError(
                "out of memory with a single row: choose a device that has more, a shorter model.dtype, or fewer"
                " prompt.max_new_tokens"
            ) from error
        if self._most is None:
            exact = self._loaded.model.dtype == torch.float64
            digits = "" if exact else f"; in {str(self._loaded.model.dtype).removeprefix('torch.')} last digits may differ"
            click.echo(f"extract: out of memory with {tried} rows at once: going on with fewer{digits}", err=True)
        self._most = tried // 2
        if self._loaded.device.type == "cuda":
            torch.cuda.empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a CUDA device or on the host."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)
