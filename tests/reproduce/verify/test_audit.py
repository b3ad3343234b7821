"""Step 1 on a real run in a fresh clone: whatever is planted is caught and named, and without a plant nothing is."""

import csv
import json
import re
import shutil
from hashlib import md5
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from medattn.base.errors import InputError
from medattn.reproduce.verify.run import Options, verify
from medattn.reproduce.verify.verification import EXIT_CODES, RECORD
from tests.clones import run
from tests.reproduce.verify.conftest import commit, recorded, replace
from tests.reproduce.verify.conftest import verify as verify_command

pytestmark = pytest.mark.slow


def audit(tree: Path, **options):
    """The audit of a tree, and its exit code."""
    made = verify(tree, Options(audit_only=True, **options), lambda text, end: print(text, end="\n" if end else ""))
    print(made.line())
    return made, EXIT_CODES[made.verdict()[0]]


def flip(path: Path, share: float) -> None:
    """Change one byte, that far into the file."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 1
    path.unlink()
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def first(tree: Path, pattern: str) -> Path:
    return sorted(tree.glob(pattern))[0]


def cell(path: Path, row: int, column: str) -> tuple[str, str]:
    """Change the last digit of a table's cell; what it was, and what it is."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    cells, at = lines[row - 1], lines[0].index(column)
    before = cells[at]
    cells[at] = before[:-1] + str((int(before[-1]) + 1) % 10)
    path.unlink()
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
    return before, cells[at]


# --- planted in the workspace -----------------------------------------------------------------------------------------
# Each plants something and returns (part, path, words of the problem).


def a_byte_of_an_image(tree):
    image = first(tree, "data/images/*.png")
    flip(image, 0.5)
    return "data", image, ""


def an_answer_of_the_study(tree):
    replace(tree / "data/questions.csv", ",yes,", ",no,")
    return "data", tree / "data/questions.csv", "column answer: 'no', recorded 'yes'"


def a_weight_of_the_model(tree):
    weights = first(tree, "data/model/*.safetensors")
    flip(weights, 0.9)
    return "data", weights, "tensor "


def a_lost_image(tree):
    image = first(tree, "data/images/*.png")
    image.unlink()
    return "data", image, "is missing"


def a_parameter(tree):
    replace(tree / "params.yaml", "sink_z: 6.0", "sink_z: 7.0")
    return "parameters", tree / "params.yaml", "aggregate.sink_z: 7.0, was 6.0"


def a_lock_entry(tree):
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    lock["stages"]["extract"]["deps"][1]["md5"] = "a" * 32
    name = lock["stages"]["extract"]["deps"][1]["path"]
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    return "lock", tree / "dvc.lock", f"stages.extract.deps[{name}].md5: {'a' * 32}, was"


def a_grid(tree):
    path = first(tree, "results/grids/*_grid.npy")
    grid = np.load(path)
    grid[3, 5] += 1e-6
    path.unlink()
    np.save(path, grid)
    return "outputs", path, "grid [3, 5]: "


def a_grid_of_the_store(tree):
    path = tree / "results/grids.safetensors"
    flip(path, 0.99)
    return "outputs", path, "tensor "


def a_cell_of_the_samples(tree):
    path = tree / "results/evaluation_results.csv"
    before, after = cell(path, 4, "decision_entropy")
    sample = path.read_text().split("\n")[3].split(",")[0]
    return "outputs", path, f"row 4 ({sample}), column decision_entropy: {after}, recorded {before}"


def a_cell_of_a_report(tree):
    path = tree / "reports/tables/by_strategy.csv"
    before, after = cell(path, 2, "accuracy")
    return "outputs", path, f"row 2 (first 4 questions / baseline), column accuracy: {after}, recorded {before}"


def a_headline_number(tree):
    path = tree / "reports/metrics.json"
    numbers = json.loads(path.read_text())
    path.write_text(json.dumps(numbers | {"accuracy_all": 0.99}, indent=1))
    return "outputs", path, f"accuracy_all: 0.99, recorded {numbers['accuracy_all']}"


def a_hash_of_the_crate(tree):
    path = tree / "ro-crate-metadata.json"
    about = json.loads(path.read_text())
    number, entity = next((number, one) for number, one in enumerate(about["@graph"]) if "sha256" in one)
    before, entity["sha256"] = entity["sha256"], "f" * 64
    path.write_text(json.dumps(about, indent=1))
    return "outputs", path, f"@graph[{number}].sha256: '{'f' * 59}…', recorded '{before[:59]}…'"


def a_pixel_of_a_figure(tree):
    path = tree / "reports/figures/sinks.png"
    with Image.open(path) as image:
        pixels = np.array(image.convert("RGBA"))
    pixels[7, 9, 0] ^= 4
    Image.fromarray(pixels).save(path)
    return "outputs", path, "pixel 9, 7: 4 of 255 levels"


def a_line_of_a_drawing(tree):
    path = tree / "reports/figures/sinks.pdf"
    content = path.read_bytes()
    number = re.search(rb"(?<= )[1-9]\d\.\d{6}(?= )", content)[0]
    other = (b"1" if number[:1] != b"1" else b"2") + number[1:]
    path.write_bytes(content.replace(b" " + number + b" ", b" " + other + b" ", 1))
    return "outputs", path, f"{other.decode()}, recorded {number.decode()}"


def captures_cut_off(tree):
    path = first(tree, "results/captures/*")
    cut_off(path)
    return "outputs", path, "cannot be read ("


def a_gallery_cut_off(tree):
    cut_off(tree / "results/gallery.html")
    return "outputs", tree / "results/gallery.html", "line "


def a_shard_of_the_gallery_cut_off(tree):
    path = tree / "results/gallery/images-0.js"
    cut_off(path)
    return "outputs", path, "line "


def a_lost_grid(tree):
    path = first(tree, "results/grids/*_grid.npy")
    path.unlink()
    return "outputs", path, "is missing"


def a_report_that_no_stage_wrote(tree):
    path = tree / "reports/tables/better.csv"
    path.write_text("a\n1\n")
    return "outputs", path, "is extra"


def a_module(tree):
    replace(tree / "medattn/measures/spatial.py", "import", "# edited\nimport")
    return "code", tree / "medattn/measures/spatial.py", "line "


def a_lost_module(tree):
    (tree / "medattn/ask.py").unlink()
    return "code", tree / "medattn/ask.py", "is missing"


def a_package_in_front_of_a_module(tree):
    shadow = tree / "medattn/measures/spatial/__init__.py"
    shadow.parent.mkdir()
    shutil.copy(tree / "medattn/measures/spatial.py", shadow)
    return "code", shadow, "is not in HEAD, and Python may import it"


def a_module_in_front_of_a_library(tree):
    (tree / "skimage.py").write_text("def filters(): ...\n")
    return "code", tree / "skimage.py", "is not in HEAD, and Python may import it"


def a_hidden_module(tree):
    (tree / ".git/info/exclude").write_text("extra.py\n")
    (tree / "medattn/extra.py").write_text("")
    return "code", tree / "medattn/extra.py", "is not in HEAD"


def a_change_that_git_was_told_to_overlook(tree):
    run(tree, "git", "update-index", "--assume-unchanged", "medattn/aggregate/stage.py")
    replace(tree / "medattn/aggregate/stage.py", "import", "# edited\nimport")
    return "code", tree / "medattn/aggregate/stage.py", "line "


def a_pinned_package(tree):
    replace(tree / "requirements/locked.txt", "numpy==", "numpy==9")
    return "code", tree / "requirements/locked.txt", "numpy==9"


def an_object_of_the_cache(tree):
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    hash = next(out["md5"] for out in lock["stages"]["metrics"]["outs"] if out["path"] == "results/evaluation_results.csv")
    path = tree / ".dvc/cache/files/md5" / hash[:2] / hash[2:]
    path.chmod(0o644)
    flip(path, 0.5)
    return "DVC's cache", path, "not to its name; it is to be results/evaluation_results.csv of HEAD"


PLANTED = [
    a_byte_of_an_image, an_answer_of_the_study, a_weight_of_the_model, a_lost_image, a_parameter, a_lock_entry, a_grid,
    a_grid_of_the_store, a_cell_of_the_samples, a_cell_of_a_report, a_headline_number, a_hash_of_the_crate, a_pixel_of_a_figure,
    a_line_of_a_drawing, captures_cut_off, a_gallery_cut_off, a_shard_of_the_gallery_cut_off, a_lost_grid,
    a_report_that_no_stage_wrote, a_module,
    a_lost_module, a_package_in_front_of_a_module, a_module_in_front_of_a_library, a_hidden_module,
    a_change_that_git_was_told_to_overlook,
    a_pinned_package, an_object_of_the_cache,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_changed_in_the_workspace_is_caught_and_named(tree, plant):
    part, path, problem = plant(tree)
    made, code = audit(tree)
    assert code == 1 and made.verdict()[0] == "tampered"
    name = path.relative_to(tree).as_posix()
    mine = [one for one in made.findings.mismatches if (one.part, one.path) == (part, name) and problem in one.problem]
    assert mine, [str(one) for one in made.findings.mismatches]
    assert {one.path for one in made.findings.mismatches} <= {name, "data"}  # "data": the digest of its tables
    assert json.loads((tree / RECORD).read_text())["verdict"] == "tampered"


# --- planted in the commit --------------------------------------------------------------------------------------------


def committed_module(tree):
    replace(tree / "medattn/measures/spatial.py", "import", "# edited\nimport")
    return "medattn/measures/spatial.py", "is recorded, HEAD has"


def committed_parameter(tree):
    replace(tree / "params.yaml", "sink_z: 6.0", "sink_z: 7.0")
    return "params.yaml", "aggregate.sink_z: 7.0, was 6.0 when it ran (dvc.lock, stage prepare, aggregate, metrics)"


def committed_template(tree):
    replace(tree / "medattn/report/templates/page.html", "<", "<!-- edited --><")
    return "medattn/report/templates", "is recorded, HEAD has"


def committed_dependency(tree):
    replace(
        tree / "dvc.lock",
        "path: medattn/base/tables.py\n      hash: md5\n      md5: ",
        "path: medattn/base/tables.py\n      hash: md5\n      md5: 0",
    )
    return "medattn/base/tables.py", "is recorded, HEAD has"


def committed_size(tree):
    replace(tree / "dvc.lock", "nfiles: 318", "nfiles: 317")
    return "data", "nfiles 317 is recorded, HEAD has 318"


def committed_command(tree):
    replace(tree / "dvc.lock", "cmd: python -m medattn aggregate", "cmd: python -m medattn version")
    return "dvc.yaml", "cmd is python -m medattn aggregate, recorded python -m medattn version"


def committed_output(tree):
    text = (tree / "dvc.lock").read_text()
    hash = next(out["md5"] for out in yaml.safe_load(text)["stages"]["aggregate"]["outs"])
    head, _, tail = text.partition("  aggregate:")
    (tree / "dvc.lock").write_text(head + "  aggregate:" + tail.replace(hash, "a" * 32, 1))
    return "results/grids.safetensors", "was read, but stage aggregate recorded aaaaaaaaaaaa"


def committed_report(tree):
    cell(tree / "reports/tables/by_strategy.csv", 2, "accuracy")
    return "reports/tables", "HEAD's file is not what HEAD's dvc.lock records"


def committed_stage(tree):
    lock = yaml.safe_load((tree / "dvc.lock").read_text())
    del lock["stages"]["figures"]
    (tree / "dvc.lock").write_text(yaml.safe_dump(lock, sort_keys=False))
    return "dvc.lock", "stage figures is not recorded"


def committed_object_of_the_store(tree):
    path = first(tree, "dvc-store/files/md5/*/*")
    flip(path, 0.5)
    return path.relative_to(tree).as_posix(), "wrong bytes"


def committed_pointer(tree):
    pointer = tree / "data.dvc"
    first_digit = pointer.read_text().split("md5: ")[1][0]
    replace(pointer, f"md5: {first_digit}", f"md5: {'0' if first_digit != '0' else '1'}")
    return "data", "is recorded, HEAD has"


IN_THE_COMMIT = [
    committed_module, committed_parameter, committed_template, committed_dependency, committed_size, committed_command,
    committed_output, committed_report, committed_stage, committed_object_of_the_store, committed_pointer,
]  # fmt: skip


@pytest.mark.parametrize("plant", IN_THE_COMMIT, ids=lambda plant: plant.__name__)
def test_a_commit_that_contradicts_itself_is_caught_and_named(tree, plant):
    path, problem = plant(tree)
    commit(tree, "changed without a run")
    made, code = audit(tree)
    assert code == 1
    assert any(one.path == path and problem in one.problem for one in made.findings.mismatches), made.findings.mismatches


def test_a_changed_object_of_git_is_caught(tree):
    """git's own checks do not look into a loose object when it is read."""
    import zlib

    blob = run(tree, "git", "rev-parse", "HEAD:params.yaml").stdout.strip()
    content = (tree / "params.yaml").read_bytes()
    path = tree / ".git/objects" / blob[:2] / blob[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    changed = content.replace(b"sink_z: 6.0", b"sink_z: 7.0")
    path.write_bytes(zlib.compress(b"blob %d\0" % len(changed) + changed))
    (tree / "params.yaml").write_bytes(changed)
    made, code = audit(tree)
    assert code == 1 and "git's object has another content" in str(made.findings.mismatches[0])


# --- nothing planted --------------------------------------------------------------------------------------------------


def test_a_clean_run_passes_the_audit_which_is_no_proof_of_it(small):
    done = verify_command(small, "--audit-only")
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1] == "audit passed (nothing was recomputed)"
    assert "identical" not in done.stdout and "study data, 318 files" in done.stdout
    record = json.loads((small / RECORD).read_text())
    assert record["verdict"] == "audit passed" and record["recomputed"] is False and record["audit"]["mismatches"] == []


def test_results_that_are_not_here_are_not_tampered_with(tree):
    shutil.rmtree(tree / "results")
    shutil.rmtree(tree / ".dvc/cache")
    shutil.rmtree(tree / "data")
    made, code = audit(tree)
    assert code == 0 and made.findings.mismatches == []
    results = [path for outputs in recorded(tree).values() for path in outputs if path.startswith("results/")]
    absent = {f"{path}: a result (`dvc repro` makes it)" for path in results}
    assert set(made.findings.not_here) == absent | {"data: the study (`dvc pull data.dvc`)"}


def test_a_directory_whose_listing_is_lost_is_named_as_a_whole(tree):
    shutil.rmtree(tree / ".dvc/cache")
    first(tree, "results/grids/*_grid.npy").unlink()
    made, code = audit(tree)
    (mismatch,) = made.findings.mismatches
    assert code == 1 and mismatch.path == "results/grids" and "which, cannot be told" in mismatch.problem


def test_a_mismatch_ends_the_command_with_1_and_its_name_in_the_last_line(tree):
    _, image, _ = a_byte_of_an_image(tree)
    done = verify_command(tree)
    last = done.stdout.splitlines()[-1]
    assert done.returncode == 1 and last.startswith(f"tampered: {image.relative_to(tree).as_posix()}: ")
    assert "nothing was recomputed" in done.stdout and "re-run of" not in done.stdout


def test_what_cannot_be_done_leaves_no_verdict_behind(tree):
    (tree / RECORD).parent.mkdir(parents=True, exist_ok=True)
    (tree / RECORD).write_text("{}")
    done = verify_command(tree, "--against", "nothing-of-this-name")
    assert done.returncode == 2 and "no commit, branch or tag" in done.stderr
    assert not (tree / RECORD).exists()
    with pytest.raises(InputError, match="give 0 or more"):
        audit(tree, absolute=-1.0)


def test_a_commit_without_a_lock_cannot_be_verified(tree):
    run(tree, "git", "rm", "--quiet", "dvc.lock")
    commit(tree, "no lock")
    with pytest.raises(InputError, match=r"has no dvc\.lock"):
        audit(tree)


def test_the_small_run_is_what_its_own_hashes_say(small):
    """The audit's hashes against DVC's own: `dvc status` says the same of the untouched run."""
    lock = yaml.safe_load((small / "dvc.lock").read_text())
    out = next(out for out in lock["stages"]["prepare"]["outs"] if out["path"] == "results/manifest.csv")
    assert md5((small / out["path"]).read_bytes()).hexdigest() == out["md5"]
    assert "up to date" in run(small, "dvc", "status").stdout
