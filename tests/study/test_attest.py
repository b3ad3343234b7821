"""Two studies are told apart without an identifier, and nothing that is published covers fewer than 5 patients."""

import hashlib
import json
import random
import re
from pathlib import Path

import pytest

from medattn.base.errors import InputError
from medattn.base.tables import write_csv
from medattn.study import attest, attest_groups
from medattn.study.schema import IMAGE_COLUMNS, QUESTION_COLUMNS, REGION_COLUMNS
from tests.conftest import change, read

STUDY_YAML = """\
name: made-up
title: a made-up study
licence: credentialed
image_root: ../jpg
source: made up
defaults:
  model: {id: owner/model, revision: null, dtype: bfloat16, device: cuda}
  prompt: {system: "", template: "{question}", order: image_first, max_new_tokens: 8}
"""


def make(directory: Path, patients: int, regions: int | None = None) -> Path:
    """A study of `patients`: two images each, two variants and a control per image, a region in the first `regions` images."""
    images, questions, found = [], [], []
    for patient in range(patients):
        subject = f"{10_000_000 + 7 * patient}"
        for film in range(2):
            study = f"{50_000_000 + 11 * patient + film}"
            image = "-".join(hashlib.sha256(f"{subject} {film}".encode()).hexdigest()[8 * part :][:8] for part in range(5))
            images.append(
                dict(zip(IMAGE_COLUMNS, (image, f"files/{image}.jpg", hashlib.sha256(image.encode()).hexdigest(), 3056, 2544,
                                         subject, study, "PA", "test"), strict=True))
            )  # fmt: skip
            for role, finding, variant in (("study", "edema", 0), ("study", "edema", 1), ("control", "pneumothorax", 0)):
                text = f"is there {finding}?" if variant == 0 else f"{finding}, variant {variant}?"
                questions.append(
                    dict(zip(QUESTION_COLUMNS, (f"{image}-{finding}", role, image, study, subject, finding, finding,
                                                f"is there {finding}?", text, "yes" if finding == "edema" else "no",
                                                f"hard_positive_strategy-{variant}" if variant else "original", variant,
                                                "voice" if variant else "original"), strict=True))
                )  # fmt: skip
            if regions is None or len(found) < regions:
                found.append(
                    dict(zip(REGION_COLUMNS, (image, "edema", "", "", 100 + patient, 20, 30, 40, "", ""), strict=True))
                )
    directory.mkdir()
    (directory / "study.yaml").write_text(STUDY_YAML)
    for name, columns, rows in (
        ("images", IMAGE_COLUMNS, images), ("questions", QUESTION_COLUMNS, questions), ("regions", REGION_COLUMNS, found),
    ):  # fmt: skip
        write_csv(directory / f"{name}.csv", columns, rows)
    return directory


@pytest.fixture
def study(tmp_path) -> Path:
    return make(tmp_path / "study", 65)


def compared(directory: Path, reference: dict) -> attest.Comparison:
    return attest.compare(attest.aggregate(directory, like=reference), reference)


SAME = ["variants: same, 260", "controls: same, 130", "images: same, 130", "regions: same, 130"]


def differs(study: Path, edit, table: str = "questions") -> list[str]:
    """What differs in a study after `edit` has changed its rows: the reported lines, but those that say same."""
    reference = json.loads(attest.json_text(attest.aggregate(study)))
    change(study / f"{table}.csv", edit)
    found = compared(study, reference)
    assert not found.same and found.lines[0] == "different study"
    return [line for line in found.lines[1:] if line not in SAME]


@pytest.mark.parametrize("patients", [12, 65, 5000])
def test_the_same_study_is_the_same_in_any_order_of_rows(patients, tmp_path):
    study = make(tmp_path / "study", patients)
    reference = attest.aggregate(study)
    assert compared(study, reference) == (
        True,
        ["same study", f"variants: same, {4 * patients}", f"controls: same, {2 * patients}", f"images: same, {2 * patients}",
         f"regions: same, {2 * patients}"],
    )  # fmt: skip
    for name in ("questions", "images", "regions"):
        change(study / f"{name}.csv", lambda rows: random.Random(patients).shuffle(rows))
    found = compared(study, reference)
    assert found.same
    assert found.lines[5:] == ["digest: differs in what is not compared (order of rows, further columns, paths, title, source)"]


def sizes_of(study: Path, groups: int) -> list[int]:
    """Patients in each of so many groups, by the rule of the module's docstring."""
    sizes = [0] * groups
    for subject in {row["subject_id"] for row in read(study / "images.csv")}:
        sizes[int.from_bytes(hashlib.sha256(f"medattn attest {subject}".encode()).digest()[:8], "big") % groups] += 1
    return sizes


@pytest.mark.parametrize(("patients", "groups"), [(5, 1), (12, 1), (39, 1), (65, 2), (5000, 128)])
def test_patients_are_in_a_power_of_two_of_groups_with_at_least_5_each(patients, groups, tmp_path):
    study = make(tmp_path / "study", patients)
    assert set(sizes_of(study, groups)) - set(range(1, 5)) == set(sizes_of(study, groups))
    for name, table in attest.aggregate(study)["tables"].items():
        assert len(table["groups"]) == groups
        each = 2 if name != "variants" else 4
        assert [group["rows"] for group in table["groups"]] == [each * size for size in sizes_of(study, groups)]


def test_groups_are_halved_until_none_has_fewer_than_5(tmp_path, monkeypatch):
    monkeypatch.setattr(attest_groups, "ABOUT", 1)
    study = make(tmp_path / "study", 200)
    groups = len(attest.aggregate(study)["tables"]["images"]["groups"])
    assert 1 < groups < 128
    assert min(sizes_of(study, groups)) >= 5
    assert any(0 < size < 5 for size in sizes_of(study, 2 * groups)), "more groups would have been safe too"


def test_a_removed_row_is_missing(study):
    found = differs(study, lambda rows: rows.pop(4))
    assert found == ["variants: different, 259 here, 260 in the reference: at least 1 missing (in 1 of 2 groups)"]


def test_an_added_row_is_extra(study):
    found = differs(
        study, lambda rows: rows.append({**rows[1], "question_variant": "hard_positive_strategy-2", "variant_index": "2"})
    )
    assert found == ["variants: different, 261 here, 260 in the reference: at least 1 extra (in 1 of 2 groups)"]


def test_another_row_instead_is_missing_and_extra(study):
    found = differs(study, lambda rows: rows[2].update(question_id="another"))
    assert found == [
        "controls: different, 130 here, 130 in the reference: at least 1 missing, at least 1 extra (in 1 of 2 groups)"
    ]


@pytest.mark.parametrize("column", ["question", "answer", "finding", "strategy", "subject_id"])
def test_a_changed_row_is_changed(study, column):
    """Another subject_id in the same group; in another group it is another row."""
    rows = read(study / "questions.csv")
    group = attest_groups._group(rows[0]["subject_id"], 2)
    other = next(row["subject_id"] for row in rows[6:] if attest_groups._group(row["subject_id"], 2) == group)
    found = differs(study, lambda rows: rows[0].update({column: other if column == "subject_id" else "other"}))
    assert found == ["variants: different, 260 here, 260 in the reference: at least 1 changed (in 1 of 2 groups)"]


def test_changes_in_two_groups_are_two(study):
    def edit(rows):
        for number in (0, 1):
            next(row for row in rows if attest_groups._group(row["subject_id"], 2) == number).update(sha256="0" * 64)

    found = differs(study, edit, "images")
    assert found == ["images: different, 130 here, 130 in the reference: at least 2 changed (in 2 of 2 groups)"]


@pytest.mark.parametrize(("column", "value"), [("sha256", "f" * 64), ("width", "3057"), ("view", "AP"), ("split", "train")])
def test_an_image_that_changed_is_changed(study, column, value):
    found = differs(study, lambda rows: rows[7].update({column: value}), "images")
    assert found == ["images: different, 130 here, 130 in the reference: at least 1 changed (in 1 of 2 groups)"]


def test_an_image_may_lie_elsewhere(study):
    reference = attest.aggregate(study)
    change(study / "images.csv", lambda rows: [row.update(path=f"elsewhere/{row['image_id']}.jpg") for row in rows])
    assert compared(study, reference).same


def test_a_moved_region_is_changed(study):
    found = differs(study, lambda rows: rows[3].update(x="101.5"), "regions")
    assert found == ["regions: different, 130 here, 130 in the reference: at least 1 changed (in 1 of 2 groups)"]


def test_all_rows_missing_or_extra_are_counted_exactly(study, tmp_path):
    bare = make(tmp_path / "bare", 65)
    (bare / "regions.csv").unlink()
    with_regions, without = attest.aggregate(study), attest.aggregate(bare)
    assert (
        compared(bare, with_regions).lines[4]
        == "regions: different, 0 here, 130 in the reference: 130 missing (in 2 of 2 groups)"
    )
    assert compared(study, without).lines[4] == "regions: different, 130 here, 0 in the reference: 130 extra (in 1 of 1 groups)"


def test_other_settings_are_another_study_but_another_place_is_not(study):
    reference = attest.aggregate(study)
    text = STUDY_YAML.replace("../jpg", "/elsewhere").replace("title: a", "title: the")
    (study / "study.yaml").write_text(text)
    assert compared(study, reference).same
    (study / "study.yaml").write_text(
        text.replace("max_new_tokens: 8", "max_new_tokens: 9").replace("name: made-up", "name: other")
    )
    assert compared(study, reference) == (
        False,
        ["different study", *SAME, "settings: licence, default model or prompt, variant exposure, or model.json differ",
         "name: 'other' here, 'made-up' in the reference"],
    )  # fmt: skip


def test_pinned_weights_are_part_of_the_settings(study):
    (study / "model.json").write_text('{"revision": null, "files": {"weights": "' + "0" * 64 + '"}}')
    reference = attest.aggregate(study)
    (study / "model.json").write_text('{"revision": null, "files": {"weights": "' + "1" * 64 + '"}}')
    assert not compared(study, reference).same


# --- what is published ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("patients", "regions"), [(6, None), (65, None), (65, 6)])
def test_nothing_that_is_published_names_a_row_or_is_its_hash(patients, regions, tmp_path):
    study = make(tmp_path / "study", patients, regions)
    found, published = attest.aggregate(study), attest.json_text(attest.aggregate(study))
    other = json.loads(published)
    change(study / "questions.csv", lambda rows: rows[0].update(question="another variant?"))
    change(study / "images.csv", lambda rows: rows.pop())
    change(study / "regions.csv", lambda rows: rows.pop())
    printed = "\n".join([*compared(study, other).lines, attest.describe(found)])
    secrets = set()
    for name in ("images", "questions", "regions"):
        text = (study / f"{name}.csv").read_text()
        for line in text.splitlines()[1:]:
            secrets |= {line, f"{line}\n", f"{line}\r\n"}
        for row in read(study / f"{name}.csv"):
            secrets |= {value for value in row.values() if len(value) > 4}
            secrets |= {sep.join(row.values()) for sep in (",", "\x1f", "|", " ", "")}
            secrets |= {json.dumps(list(row.values())), json.dumps(row), json.dumps(row, sort_keys=True)}
    assert "10000000" in secrets
    secrets -= {"study", "control", "original"}
    hashes = {hashlib.new(kind, secret.encode()).hexdigest() for secret in secrets for kind in ("sha256", "sha1", "md5")}
    for text in (published, printed):
        assert not [secret for secret in secrets if secret in text]
        assert not set(re.findall(r"[0-9a-f]{32,}", text)) & hashes


def test_no_digest_is_of_the_rows_of_fewer_than_5_patients(study):
    """Every digest, recomputed over each patient, and each pair of patients, differs from those published."""
    tables = attest_groups.rows_of(attest.read_study(study))
    published = set(re.findall(r"[0-9a-f]{64}", attest.json_text(attest.aggregate(study))))
    for name, rows in tables.items():
        subjects = sorted({row["subject_id"] for row in rows})
        for few in [{one} for one in subjects] + [{one, two} for one in subjects[:20] for two in subjects[:20]]:
            group = attest_groups._digests(name, [row for row in rows if row["subject_id"] in few])
            assert not {group.keys, group.content} & published


def test_regions_of_few_patients_have_neither_digest_nor_count(tmp_path):
    few = make(tmp_path / "few", 65, regions=6)  # of 3 patients
    found = attest.aggregate(few)
    assert found["tables"]["regions"] == {"rows": None, "groups": []}
    assert found["counts"]["regions"] is None
    assert attest.describe(found).endswith("65 patients, a few regions")
    again = compared(few, found)
    assert again.same and again.lines[4] == "regions: not compared, here as in the reference a few of fewer than 5 patients"
    for name, regions in (("none", 0), ("many", 12)):
        other = compared(make(tmp_path / name, 65, regions), found)
        assert not other.same
        assert other.lines[4] == f"regions: different, {regions} here, a few of fewer than 5 patients in the reference"


def test_a_study_of_fewer_than_5_patients_is_not_published(tmp_path):
    found = attest.aggregate(study := make(tmp_path / "study", 4))
    assert all(table == {"rows": None, "groups": []} for table in found["tables"].values())
    assert set(found["counts"].values()) == {None}
    assert attest.describe(found).splitlines() == [
        found["digest"],
        "a few questions in a few variants, a few controls, a few images of a few patients, a few regions",
        "fewer than 5 patients: do not publish this digest",
    ]
    with pytest.raises(InputError, match=r"^study 'made-up': a digest would cover fewer than 5 patients, and whoever holds"):
        attest.json_text(attest.aggregate(study))
    assert compared(study, found).same


def test_a_study_of_another_size_can_be_compared_and_the_other_way_round(study, tmp_path):
    large = make(tmp_path / "large", 5000)
    found, back = compared(study, attest.aggregate(large)), compared(large, attest.aggregate(study))
    assert not found.same and found.lines[3].startswith(
        "images: different, 130 here, 10000 in the reference: at least 9870 missing"
    )
    assert not back.same and back.lines[3] == (
        "images: different, 10000 here, 130 in the reference: at least 9870 extra (in 2 of 2 groups)"
    )


def test_what_was_made_for_a_comparison_is_not_written(study):
    found = attest.aggregate(study)
    with pytest.raises(ValueError, match="was made like another"):
        attest.json_text(attest.aggregate(study, like=found))


def test_the_digest_comes_first_and_then_what_it_covers(study):
    found = attest.aggregate(study)
    assert attest.describe(found) == (
        f"{found['digest']}\n130 questions in 260 variants, 130 controls, 130 images of 65 patients, 130 regions"
    )
    assert re.fullmatch("[0-9a-f]{64}", found["digest"])


# --- the file ---------------------------------------------------------------------------------------------------------


def test_what_was_published_is_read_back(study, tmp_path):
    found = attest.aggregate(study)
    path = tmp_path / "reference.json"
    path.write_text(attest.json_text(attest.aggregate(study)))
    assert attest.read_reference(path) == found


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda found: found.update(format=1), "format is 1, this version reads 2: take the version that wrote it"),
        (lambda found: found.pop("format"), "format is None, this version reads 2: take the version that wrote it"),
        (lambda found: found.pop("digest"), "digest: Field required: restore it"),
        (lambda found: found.update(extra=1), "extra: Extra inputs are not permitted: restore it"),
        (lambda found: found["tables"].pop("images"), "tables.images: its groups are not complete: restore it"),
        (lambda found: found["tables"]["images"]["groups"].pop(), "tables.images: its groups are not complete: restore it"),
        (
            lambda found: found["tables"]["images"]["groups"][0].update(rows=-1),
            "tables.images.groups.0.rows: Input should be greater than or equal to 0: restore it",
        ),
    ],
)
def test_a_reference_that_is_none_is_refused(study, tmp_path, edit, message):
    found = attest.aggregate(study)
    edit(found)
    path = tmp_path / "reference.json"
    path.write_text(json.dumps(found))
    with pytest.raises(InputError) as error:
        attest.read_reference(path)
    assert str(error.value) == f"{path}: {message}"


def test_a_reference_that_is_absent_or_no_json_is_refused(tmp_path):
    path = tmp_path / "reference.json"
    with pytest.raises(InputError, match="not found: give --against the file that was published with the study"):
        attest.read_reference(path)
    path.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        attest.read_reference(path)
    path.write_text("[]")
    with pytest.raises(InputError, match="format is None"):
        attest.read_reference(path)


def test_a_region_of_an_unknown_image_is_refused_by_row(study):
    change(study / "regions.csv", lambda rows: rows[3].update(image_id="unknown"))
    with pytest.raises(InputError, match=r"regions\.csv, row 5: the image is not in images\.csv: run `medattn study check`$"):
        attest.aggregate(study)
