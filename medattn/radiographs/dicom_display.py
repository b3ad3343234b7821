"""How a display shows a DICOM image, as its own header says.

Modality LUT or rescale, then VOI LUT or window (PS3.3 C.11.1 and C.11.2). Where the header holds several, the first counts;
a VOI LUT comes before a window. Without either, the darkest pixel is 0 and the brightest is 1. Pixels of padding have no part
in that, nor in what they show. A header that can be followed, but makes a radiograph nearly black, is not followed: the
standard does not say what was meant.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


class MisleadingHeaderError(Exception):
    """A header that can be followed, but shows what nobody can have meant."""


def padded(dataset: "Dataset") -> np.ndarray:
    """bool [height, width]: pixels that hold no image, by PixelPaddingValue and, where given, its range limit (C.7.5.1.1.2)."""
    stored, value = dataset.pixel_array, dataset.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = np.array([int(value), int(value if limit is None else limit)]).astype(stored.dtype)  # -1 may be written 65535
    return (stored >= ends.min()) & (stored <= ends.max())


def says_how(dataset: "Dataset") -> bool:
    """Whether the header says which values are black and white, by a VOI LUT or a window."""
    window = dataset.get("WindowWidth") is not None and dataset.get("WindowCenter") is not None
    return window or bool(dataset.get("VOILUTSequence"))


def displayed(dataset: "Dataset") -> np.ndarray:
    """float64 [height, width], 0–1: stored values after the Modality and the VOI transformation.

    Raises MisleadingHeaderError, and whatever a damaged element breaks.
    """
    values = dataset.pixel_array
    order = "<" if dataset.file_meta.TransferSyntaxUID.is_little_endian else ">"
    if dataset.get("ModalityLUTSequence"):
        values = _looked_up(values, dataset.ModalityLUTSequence[0], order)
    else:
        slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
        values = values * float(1 if slope is None else slope) + float(intercept or 0)
    if dataset.get("VOILUTSequence"):
        table = dataset.VOILUTSequence[0]
        return _looked_up(values, table, order) / _most(table, order)
    if not says_how(dataset):
        inside = values[~padded(dataset)]
        low, high = (inside.min(), inside.max()) if inside.size else (0, 0)
        return np.clip((values - low) / (high - low or 1), 0, 1)
    width, centre = (float(np.atleast_1d(dataset[name].value)[0]) for name in ("WindowWidth", "WindowCenter"))
    return _windowed(values, centre, width, str(dataset.get("VOILUTFunction") or "LINEAR").upper())


def _most(table: "Dataset", order: str) -> int:
    """The most that an entry of a VOI LUT can be. Raises MisleadingHeaderError if no entry needs all the bits it says."""
    bits, highest = int(table.LUTDescriptor[2]), int(_entries(table, order).max())
    if highest < 2 ** (bits - 1):
        raise MisleadingHeaderError(
            f"the descriptor of its VOI LUT says {bits} bits, its entries go to {highest} only, which are"
            f" {max(highest.bit_length(), 1)} bits"
        )
    return 2**bits - 1


def _looked_up(values: np.ndarray, table: "Dataset", order: str) -> np.ndarray:
    """int64: what a LUT item gives for `values`, its end entries for those beyond."""
    data, first = _entries(table, order), int(table.LUTDescriptor[1])
    return data[np.clip(np.rint(values).astype(np.int64) - first, 0, len(data) - 1)]


def _entries(table: "Dataset", order: str) -> np.ndarray:
    """int64: the entries of a LUT item.

    Not pydicom's: that counts the entries in as many bits as each holds, which folds a 4096-entry LUT of 8 bits.
    """
    entries, _, bits = (int(number) for number in table.LUTDescriptor)
    entries = entries % 2**16 or 2**16
    data = table.LUTData
    if isinstance(data, bytes):  # in one byte an entry, or in two
        data = np.frombuffer(data, "u1" if len(data) < 2 * entries else f"{order}u2")
    data = np.atleast_1d(np.asarray(data, dtype=np.int64))[:entries]
    if len(data) < entries or data.max() >= 2**bits:
        raise ValueError(f"LUT of {entries} entries with {bits} bits has {len(data)} entries up to {data.max()}")
    return data


def _windowed(values: np.ndarray, centre: float, width: float, function: str) -> np.ndarray:
    """float64, 0–1: `values` through a window."""
    if width <= 0 or (function == "LINEAR" and width < 1):
        raise ValueError(f"Window Width is {width} for {function}")
    if function == "SIGMOID":
        return 1 / (1 + np.exp(-4 * (values - centre) / width))
    if function == "LINEAR":  # the window's ends are whole values of their own
        centre, width = centre - 0.5, width - 1
    elif function != "LINEAR_EXACT":
        raise ValueError(f"VOI LUT Function is {function}")
    if width == 0:
        return np.where(values > centre, 1.0, 0.0)
    return np.clip((values - centre) / width + 0.5, 0, 1)
