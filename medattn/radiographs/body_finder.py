"""What is looked for once in an image file: its size, and the patient's body. This imports all code that decides it."""

from pathlib import Path

import numpy as np

from medattn.measures.silhouette import body_mask, doubt
from medattn.radiographs.areas import Area, area_of, no_area
from medattn.radiographs.image_files import decoded_radiograph

LIBRARIES = ("numpy", "scipy", "pillow", "pydicom", "safetensors")
Found = tuple[str, Area]  # a doubt about the body and where it is, or, with an empty area, why none was found


def find_body(path: Path, content: bytes) -> Found:
    """What the bytes of the file at `path` show. Raises the errors of `decoded_radiograph`."""
    image = decoded_radiograph(path, content)
    try:
        mask = body_mask(np.asarray(image.convert("L")))
    except ValueError as error:
        return str(error), no_area(*image.size)
    return doubt(mask), area_of(mask)
