"""`medattn cache` tells what is needed from what is not, and removes only the latter."""

import pytest
from click.testing import CliRunner

from medattn.base import paths
from medattn.cli import group
from medattn.extract import cache_size
from medattn.extract.extractor import Extractor
from tests.extract.conftest import IMAGES, UNITS, extracted, set_run, units


@pytest.fixture
def filled(root, monkeypatch):
    """A finished run's cache with three entries that nobody needs."""
    extracted(root, monkeypatch, "on")
    monkeypatch.delenv("MEDATTN_CACHE")
    monkeypatch.setattr(cache_size.paths, "check_root", lambda: root)
    set_run(root)
    for name in ("0" * 64, "1" * 64 + "-failed", f"{units(root)[0].name}.123.part"):
        (root / paths.RUN / "units" / name).write_bytes(b"x" * 1000)
    return root


def report(*options: str) -> str:
    done = CliRunner().invoke(group, ["cache", *options], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_it_says_what_finished_units_take(filled):
    shown = report()
    size = sum(path.stat().st_size for path in units(filled)) - 3000
    assert f"needed now   {UNITS} files, {size / 1e6:.1f} MB, of {UNITS} units" in shown
    assert "not needed   3 files, 0.0 MB\n" in shown and "(off" not in shown
    assert len(units(filled)) == UNITS + 3


def test_pruning_keeps_what_the_next_run_uses(filled, monkeypatch, undisturbed):
    assert "not needed   3 files, 0.0 MB: removed" in report("--prune")
    assert len(units(filled)) == UNITS
    monkeypatch.setattr(Extractor, "compute", lambda *_: pytest.fail("computed again"))
    assert extracted(filled, monkeypatch, "on") == undisturbed


def test_everything_can_be_removed(filled):
    assert f"removing {UNITS + 3} files" in report("--all")
    assert not (filled / paths.RUN / "units").exists() and not (filled / paths.RUN / "bodies").exists()
    assert "needed now   0 files, 0.0 MB" in report()


def test_it_says_that_the_cache_is_off(filled, monkeypatch):
    monkeypatch.setenv("MEDATTN_CACHE", "off")
    assert "(off: run.cache or MEDATTN_CACHE)" in report()


def test_without_a_manifest_nobody_knows_what_is_needed(filled):
    (filled / paths.MANIFEST).unlink()
    done = CliRunner().invoke(group, ["cache"])
    assert "manifest.csv not found, which says what is needed: run `dvc repro prepare` first" in str(done.exception)


def test_bodies_that_other_code_has_found_are_removed_and_no_others(filled):
    (kept,) = (filled / paths.RUN / "bodies").iterdir()
    old = kept.with_name("0" * 16)
    before = sorted(kept.iterdir())
    old.mkdir()
    (old / "body").write_bytes(b"x" * 2_000_000)
    assert "by others    1 files, 2.0 MB\n" in report() and "by others    1 files, 2.0 MB: removed\n" in report("--prune")
    assert sorted(kept.iterdir()) == before and not list(old.iterdir())
    assert f"found now    {IMAGES} files" in report()
