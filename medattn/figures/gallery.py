"""The gallery: radiographs first, in shards of their own, then the samples that point to them, then the page."""

from pathlib import Path

from tqdm import tqdm

from medattn.base import paths
from medattn.figures.gallery_images import gallery_image
from medattn.figures.gallery_samples import sorted_samples
from medattn.figures.inputs import Results
from medattn.radiographs.reader import RadiographReader
from medattn.report.gallery_page import Gallery

NOTE = "Attention of the last prompt token, drawn where it exceeds an even spread."


def write(title: str, results: Results, reader: RadiographReader, root: Path, directory: Path) -> str:
    """The page; what it shows is written into `directory`."""
    gallery = Gallery(directory)
    with sorted_samples(root / paths.EVALUATION, root / paths.RUN) as samples:
        for image_id, perturbations in tqdm(samples.images(), desc="gallery", unit="image", total=samples.count_images()):
            image = gallery_image(image_id, perturbations, reader, results.image_side)
            samples.place(image_id, perturbations, gallery.add_image(image))
        for question in samples.questions(results.grids):
            gallery.add_question(question)
    return gallery.page(title, NOTE)
