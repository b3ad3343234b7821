"""Whose body mask may be wrong: the metrics that look at the body say less of these images."""

from collections.abc import Sequence

from medattn.base import paths
from medattn.base.tables import Row
from medattn.metrics.anatomy import PlaceOf
from medattn.metrics.columnar import ColumnRow
from medattn.metrics.table import Table

BODY_MASKS = ("image_id", "subject_id", "doubt")


def body_masks(rows: Sequence[ColumnRow], place_of: PlaceOf) -> list[Row]:
    """BODY_MASKS, one row per image that was answered about as it is. doubt: why its body mask may be wrong, or empty."""
    first = {row["image_id"]: row for row in reversed(rows) if row.is_clean and row.answered}
    return [
        {"image_id": image_id, "subject_id": row["subject_id"], "doubt": place_of(row).doubt}
        for image_id, row in sorted(first.items())
    ]


TABLES = (Table("body_masks", BODY_MASKS, lambda of: body_masks(of.rows, of.place_of), paths.GROUPS),)
