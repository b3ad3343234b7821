"""Names of finished units: the hash of everything that decides their content."""

from collections.abc import Sequence

from medattn.base.content_cache import digest_of
from medattn.base.params.extract import ExtractParams
from medattn.extract.unit_cache import code_and_libraries
from medattn.extract.units import Unit
from medattn.model.load import choose_device
from medattn.radiographs.conditions import IN_BODY
from medattn.radiographs.reader import RadiographReader
from medattn.study.schema import Study, settings


class Keys:
    """Batch -> its units' keys, for one study, one params.yaml, this code and these libraries."""

    def __init__(self, study: Study, params: ExtractParams, radiographs: RadiographReader) -> None:
        model, prompt = settings(study, params)
        self._radiographs = radiographs
        self._shared = digest_of(
            {
                "model": study.model_files(model) or [model.id, model.revision],
                "redraw_language": model.redraw_language,
                "dtype": model.dtype,
                "device": choose_device(model.device).type,
                "prompt": prompt.model_dump(),
                "generated_rows": params.extract.generated_rows,
                **code_and_libraries(),
            }
        )
        # In float64 rounding hides what a batch does to the last bits. In a short dtype they may decide a word of an answer.
        self.batch_invariant = model.dtype == "float64"  # a unit's result does not depend on what shares its batch

    def __call__(self, batch: Sequence[Unit]) -> list[str]:
        """The key of every unit of a batch."""
        digests = [self._digest(unit) for unit in batch]
        beside = [] if self.batch_invariant else digests
        return [digest_of([self._shared, own, beside]) for own in digests]

    def _digest(self, unit: Unit) -> str:
        """Of all of a unit that decides its result."""
        return digest_of(
            {
                "condition": [unit.condition, unit.strength],
                "image": [unit.shown, unit.image_sha256] if unit.shown else None,
                "body": self._body(unit) if unit.shown else None,
                "occluded": self._radiographs.region_hashes(unit.shown, unit.occluded) if unit.occluded else None,
                "asked": [[one.sample_id, one.question] for one in unit.samples],
            }
        )

    def _body(self, unit: Unit) -> str | bool:
        """What decides where the condition changes the image, or only whether a body was found there."""
        found = self._radiographs.body_hash(unit.shown)
        return found if unit.condition in IN_BODY else bool(found)
