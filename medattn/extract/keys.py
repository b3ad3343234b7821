"""Names of finished units: the hash of everything that decides their content, and of nothing else: no sample's name."""

from collections.abc import Sequence

from medattn.base.content_cache import digest_of
from medattn.base.params.extract import ExtractParams
from medattn.extract.unit_cache import code_and_libraries
from medattn.extract.units import SAMPLES_AT_ONCE, ShownImage, Unit
from medattn.model.load import choose_device
from medattn.radiographs.conditions import IN_BODY, PIXELS_ALONE
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
        self._row_limit = [SAMPLES_AT_ONCE, params.run.max_memory]

    def __call__(self, batch: Sequence[Unit]) -> list[str]:
        """The key of every unit of a batch."""
        digests = [self._digest(unit) for unit in batch]
        beside = [] if self.batch_invariant else [*self._row_limit, *digests]
        return [digest_of([self._shared, own, beside]) for own in digests]

    def _digest(self, unit: Unit) -> str:
        """Of all of a unit that decides its result."""
        return digest_of({"shown": self._shown(unit.shown), "asked": unit.questions})

    def _shown(self, one: ShownImage | None) -> list[object] | None:
        if one is None:
            return None
        named = "" if one.condition in PIXELS_ALONE else one.image_id
        regions = self._radiographs.region_hashes(one.image_id, one.occluded) if one.occluded else None
        return [one.condition, one.strength, one.image_sha256, named, one.occluded, regions, self._body(one)]

    def _body(self, one: ShownImage) -> str | bool | None:
        """What decides where the condition changes the image, or only whether a body was found there."""
        if not one.image_id:
            return None
        found = self._radiographs.body_hash(one.image_id)
        return found if one.condition in IN_BODY else bool(found)
