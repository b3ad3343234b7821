"""Comparing with something else than the last commit: a commit, an experiment of DVC's, a released archive."""

import gzip
import io
import json
import subprocess
import tarfile

import pytest

from medattn.base.errors import InputError
from medattn.release.pack import pack
from medattn.reproduce.verify.against import find, read_archive
from medattn.reproduce.verify.verification import RECORD
from tests.clones import dvc, medattn, run
from tests.reproduce.verify.conftest import everything, verify

LOCK = b"stages: {one: {cmd: x, outs: [{path: reports/m.json, md5: 99914b932bd37a50b983c5e7c90ae93b}]}}\n"


def release(**changes: bytes | None) -> bytes:
    """A tiny release whose manifest lists what was there before the `changes`."""
    import hashlib

    files: dict[str, bytes | None] = {"dvc.lock": LOCK, "params.yaml": b"a: 1\n", "reports/m.json": b"{}"}
    members = [
        {"path": name, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    ]
    files |= {"MANIFEST.json": json.dumps({"format": 1, "members": members}).encode(), **changes}
    return pack({name: content for name, content in files.items() if content is not None})


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({}, ()),
        ({"params.yaml": b"a: 2\n"}, ("params.yaml: is not what MANIFEST.json lists",)),
        ({"more": b""}, ("more: is extra, MANIFEST.json does not list it",)),
        (
            {"reports/m.json": b"[]"},
            ("reports/m.json: is not what MANIFEST.json lists", "reports/m.json: is not what the archive's dvc.lock records"),
        ),
        ({"reports/m.json": None}, ("reports/m.json: is missing, MANIFEST.json lists it",)),
    ],
)
def test_an_archive_is_checked_against_its_own_manifest_and_lock(tmp_path, changes, problems):
    path = tmp_path / "release.tar.gz"
    path.write_bytes(release(**changes))
    reference = read_archive(path)
    assert reference.problems == problems
    assert reference.kind == "archive" and reference.title == "archive release.tar.gz"


def test_a_link_in_an_archive_is_a_problem(tmp_path):
    path = tmp_path / "release.tar.gz"
    buffer = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(release())) as old, tarfile.open(fileobj=buffer, mode="w:gz") as new:
        for member in old:
            new.addfile(member, old.extractfile(member))
        link = tarfile.TarInfo("reports/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        new.addfile(link)
    path.write_bytes(buffer.getvalue())
    assert read_archive(path).problems == ("reports/link: is not an ordinary file",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        release()[:-40],
        release()[:300] + bytes(200) + release()[500:],
        pack({"a": b"1"}),
        *(pack({"MANIFEST.json": said, "dvc.lock": LOCK}) for said in (b"[]", b'{"members": [{"path": "a"}]}')),
    ],
)
def test_anything_else_is_no_release(tmp_path, content):
    path = tmp_path / "release.tar.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="no release of `medattn release`"):
        read_archive(path)


def test_an_archive_that_unpacks_to_more_than_a_release_holds_is_not_unpacked(tmp_path):
    path, a_megabyte = tmp_path / "release.tar.gz", bytes(1 << 20)
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(300):
            file.write(a_megabyte)
    with pytest.raises(InputError, match=r"no release of `medattn release` \(it unpacks to more than 256 MiB\)"):
        read_archive(path)


@pytest.mark.parametrize("manifest", [b'{"members": [], "members": []}', b"[" * 100_000, b"\xff\xfe"])
def test_a_manifest_that_is_no_json_is_named(tmp_path, manifest):
    path = tmp_path / "release.tar.gz"
    path.write_bytes(release(**{"MANIFEST.json": manifest}))
    with pytest.raises(InputError, match=r"MANIFEST.json of .*release.tar.gz is not .*: give the archive as it was written"):
        read_archive(path)


def test_a_name_that_nobody_has_is_refused(tmp_path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for name in ("nothing", "--upload-pack=x", "HEAD"):
        with pytest.raises(InputError, match="no commit, branch or tag of this repository"):
            find(tmp_path, name)


def last(done) -> str:
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_outputs_here_are_compared_with_a_commit(small):
    done = verify(small, "--audit-only", "--against", "HEAD")
    assert done.returncode == 0
    assert last(done) == "audit passed (nothing was recomputed; outputs are those of commit HEAD)"
    assert "parameters that are not those of commit HEAD: none" in done.stdout
    done = verify(small, "--audit-only", "--against", "HEAD~1")  # the whole study
    assert done.returncode == 1 and last(done).startswith("different: ") and "limit: 4, was null" in done.stdout
    assert "reports/metrics.json" in last(done) and "n_samples: '56', recorded '2900'" in done.stdout
    found = json.loads((small / RECORD).read_text())
    assert found["against"]["name"] == "HEAD~1" and "figures.dpi: 72, was 300" in found["context"]["parameters"]
    assert next(one["verdict"] for one in found["outputs"] if one["path"] == "results/captures") == "not comparable"


@pytest.mark.slow
def test_outputs_here_are_compared_with_an_experiment(tree):
    dvc(tree, "exp", "run", "--name", "sharper", "-S", "figures.dpi=80")
    run(tree, "git", "checkout", "--quiet", ".")
    dvc(tree, "checkout")
    done = verify(tree, "--audit-only", "--against", "sharper")
    assert done.returncode == 1 and last(done).startswith("different: reports/figures")
    assert "figures.dpi: 72, was 80" in done.stdout and "example.png: " in done.stdout and " pixels, recorded " in done.stdout
    found = json.loads((tree / RECORD).read_text())
    assert found["against"]["kind"] == "experiment" and found["context"]["code and data"] == []


@pytest.mark.slow
def test_a_re_run_is_compared_with_a_released_archive(tree, tmp_path):
    archive = tmp_path / "release.tar.gz"
    medattn(tree, "release", "--out", archive)
    done = verify(tree, "--against", archive)
    assert done.returncode == 0
    assert last(done) == f"identical: {everything(tree)}archive release.tar.gz records"
    with tarfile.open(archive) as tar:
        files = {member.name: tar.extractfile(member).read() for member in tar}
    files["reports/metrics.json"] = files["reports/metrics.json"].replace(b"56", b"57")
    archive.write_bytes(pack(files))
    done = verify(tree, "--audit-only", "--against", archive)
    assert done.returncode == 1
    assert last(done).startswith("tampered: release.tar.gz: reports/metrics.json: is not what MANIFEST.json lists")
