"""Work done ahead by other processes is what this one would do, in order; Ctrl-C and errors end all of them."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from medattn.base.errors import InputError
from medattn.base.processes import made_ahead
from tests.clones import hears_interrupts
from tests.import_closure import ROOT


def doubled(number: int) -> int:
    return 2 * number


def refused(number: int) -> int:
    raise InputError(f"row {number}: fix it")


def heavy_modules(_: int) -> set[str]:
    import medattn.radiographs.survey  # noqa: F401

    return {"torch", "transformers"} & set(sys.modules)


@pytest.mark.parametrize("workers", [0, 2])
def test_every_item_comes_with_what_is_made_of_it_in_order(workers):
    assert list(made_ahead(doubled, range(20), workers)) == [(number, 2 * number) for number in range(20)]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_is_the_one_that_the_work_raised(workers):
    with pytest.raises(InputError, match="row 0: fix it"):
        list(made_ahead(refused, range(3), workers))


def test_a_process_that_looks_into_images_loads_no_model_library():
    script = """
        from medattn.base.processes import made_ahead
        from tests.base.test_processes import heavy_modules
        if __name__ == "__main__":
            print(list(made_ahead(heavy_modules, [0], 1)))
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[(0, set())]\n"


def test_an_interruption_is_heard_by_the_first_process_alone_and_ends_the_others(tmp_path):
    (tmp_path / "slow.py").write_text("import time\ndef nap(_):\n    time.sleep(0.2)\n")
    script = """
        from medattn.base.processes import made_ahead
        from slow import nap
        if __name__ == "__main__":
            for number, _ in made_ahead(nap, range(1000), 2):
                print(number, flush=True)
    """
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hears_interrupts,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "0\n"
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert errors.count("Traceback") == 1 and errors.rstrip().endswith("KeyboardInterrupt")
        for _ in range(100):
            if not group_is_alive(process.pid):
                return
            time.sleep(0.1)
        pytest.fail("a process goes on")
    finally:
        process.kill()


def group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
