"""Rows held in columns: a study has millions of them, and as dicts each would take thousands of bytes."""

from array import array
from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from typing import Any, Self

import numpy as np

from medattn.base.rows import IsOneSample

Stored = tuple[array, list[Any] | None]  # float64 [row], NaN for None; or the place [row] of each cell among the distinct ones
NOTHING: Mapping[str, Any] = {}


class ColumnRow(IsOneSample, Mapping[str, Any]):
    """A row of Columns, read where it is asked; with cells of its own after `row | {…}`."""

    __slots__ = ("_columns", "_index", "_own")

    def __init__(self, columns: Mapping[str, Stored], index: int, own: Mapping[str, Any] = NOTHING) -> None:
        self._columns, self._index, self._own = columns, index, own

    def __getitem__(self, name: str) -> Any:
        if self._own and name in self._own:
            return self._own[name]
        values, cells = self._columns[name]
        value = values[self._index]
        if cells is not None:
            return cells[value]
        return None if value != value else value

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def keys(self) -> KeysView[str]:
        """The columns' names, then what it has of its own."""
        return {**self._columns, **self._own}.keys() if self._own else self._columns.keys()

    def __or__(self, other: Mapping[str, Any]) -> Self:
        return type(self)(self._columns, self._index, {**self._own, **other})


class _Filling:
    """A column while rows are added."""

    def __init__(self) -> None:
        self.numbers: array | None = None
        self.places, self.place_of = array("i"), dict[Any, int]()

    def append(self, cell: Any) -> None:
        """Raises ValueError for a number that is none, or decimal numbers beside something else."""
        if isinstance(cell, float):
            if cell != cell:
                raise ValueError("is not a number: write None where there is none")
            if self.numbers is None:
                if self.place_of.keys() - {None}:
                    raise ValueError(f"is {cell!r}, after cells that are no decimal numbers")
                self.numbers = array("d", [np.nan]) * len(self.places)
            self.numbers.append(cell)
        elif self.numbers is None:
            self.places.append(self.place_of.setdefault(cell, len(self.place_of)))
        elif cell is None:
            self.numbers.append(np.nan)
        else:
            raise ValueError(f"is {cell!r}, after decimal numbers")

    def stored(self, order: np.ndarray | None) -> Stored:
        """What was added, in this order of rows [row] if there is one."""
        cells = list(self.place_of) if self.numbers is None else None
        values = np.asarray(self.places if self.numbers is None else self.numbers)
        typecode = "d" if cells is None else next(code for code in "BHi" if len(cells) <= np.iinfo(code).max + 1)
        values = values if order is None else values[order]
        return array(typecode, values.astype(typecode).tobytes()), cells


class Columns(Sequence[ColumnRow]):
    """Rows with the same columns: decimal numbers take 8 bytes each, a text or a truth 1 to 4 and one copy of what it says."""

    def __init__(self, columns: Mapping[str, Stored], length: int) -> None:
        self._columns, self._length = columns, length

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]], by: str = "") -> Self:
        """These rows, of which none is kept; sorted, if there is a column to sort them by.

        Raises ValueError for a row with other columns than the first, or a cell that its column cannot hold.
        """
        filling: dict[str, _Filling] = {}
        length = 0
        for row in rows:
            filling = filling or {name: _Filling() for name in row}
            if row.keys() != filling.keys():
                raise ValueError(f"row has columns {sorted(row)}, expected {sorted(filling)}")
            for name, column in filling.items():
                try:
                    column.append(row[name])
                except ValueError as error:
                    raise ValueError(f"column {name} {error}") from None
            length += 1
        order = None
        if by and length:
            keys = cls({by: filling[by].stored(None)}, length)
            order = np.array(sorted(range(length), key=lambda index: keys[index][by]), dtype=np.intp)
        # Each column is let go as it is stored: both at once would be twice the study.
        return cls({name: filling.pop(name).stored(order) for name in list(filling)}, length)

    def only(self, names: Iterable[str]) -> Self:
        """The same rows with these columns alone."""
        return type(self)({name: self._columns[name] for name in names} if self._length else {}, self._length)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> ColumnRow:  # type: ignore[override]  # nobody asks for slices
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return ColumnRow(self._columns, index % self._length)

    def __iter__(self) -> Iterator[ColumnRow]:
        return (ColumnRow(self._columns, index) for index in range(self._length))
