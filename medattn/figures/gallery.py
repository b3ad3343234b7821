"""The gallery's shards: radiographs first, in shards of their own, then the samples, which point to them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from medattn.base import paths
from medattn.figures.gallery_images import ImageMaker, gallery_images
from medattn.figures.gallery_samples import sorted_samples
from medattn.report.gallery_page import Gallery


def shards(grids: Mapping[str, np.ndarray], maker: ImageMaker, processes: int, root: Path, directory: Path) -> Gallery:
    """A gallery whose shards lie in `directory`, of the results below `root`; grids: by sample_id."""
    gallery = Gallery(directory)
    with sorted_samples(root / paths.EVALUATION, root / paths.RUN) as samples:
        made = gallery_images(samples.images(), maker, processes)
        for wanted, image in tqdm(made, desc="gallery", unit="image", total=samples.count_images()):
            samples.place(*wanted, gallery.add_image(image))
        for question in samples.questions(grids):
            gallery.add_question(question)
    return gallery
