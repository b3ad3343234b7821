"""Several processes: the same bytes as one, one progress bar, and an end to all when one dies."""

import re
import socket

import pytest

from tests.extract.conftest import command, outputs, set_run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_any_number_of_processes_gives_the_same_bytes(checkout, undisturbed, processes):
    set_run(checkout, processes=processes)
    done = command(checkout, MEDATTN_CACHE="off")
    assert done.returncode == 0, done.stderr
    assert outputs(checkout / "results") == undisturbed
    shown = [int(percent) for percent in re.findall(r"extract: +(\d+)%", done.stderr)]
    assert shown == sorted(shown) and (shown[0], shown[-1]) == (0, 100)  # one bar, for all
    assert done.stdout.count("samples ->") == 1


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def accelerate(machines: int, machine: int, port: int) -> tuple[str, ...]:
    """The launcher with two processes, both on one machine or one on each of two.

    --multi_gpu makes it start as many as it is told; with --cpu it leaves that to MPI and starts one.
    """
    return (
        "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", str(machines),
        "--machine_rank", str(machine), "--main_process_ip", "127.0.0.1", "--main_process_port", str(port),
        "--mixed_precision", "no", "--dynamo_backend", "no",
    )  # fmt: skip


@pytest.mark.parametrize("launcher", ["accelerate", "torchrun"])
def test_the_ranks_of_a_launcher_share_the_work(checkout, undisturbed, launcher):
    torchrun = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", str(free_port()))
    done = command(checkout, *(accelerate(1, 0, free_port()) if launcher == "accelerate" else torchrun), MEDATTN_CACHE="off")
    assert done.returncode == 0, done.stderr
    assert outputs(checkout / "results") == undisturbed
    assert done.stdout.count("samples ->") == 1


def test_two_machines_that_share_a_file_system_share_the_work(checkout, started, undisturbed):
    """Two launchers that know each other by address only."""
    port = free_port()
    first, second = (started(checkout, *accelerate(2, machine, port)) for machine in (0, 1))
    results = [process.communicate(timeout=300) for process in (first, second)]
    assert (first.returncode, second.returncode) == (0, 0), results
    assert outputs(checkout / "results") == undisturbed
    assert [out.count("samples ->") for out, _ in results] == [1, 0]


def test_a_rank_that_dies_ends_the_run_with_its_message_and_the_next_run_goes_on(checkout, undisturbed):
    set_run(checkout, processes=2)
    module = checkout / "medattn/extract/extractor.py"
    whole = module.read_text()
    spoilt = (
        'import os\n\n\ndef end() -> None:\n    if os.environ.get("RANK") == "1":\n'
        '        raise InputError("the lamp is broken")\n'
    )
    module.write_text(whole.replace("        place = {", "        end()\n        place = {", 1) + "\n\n" + spoilt)
    done = command(checkout)
    assert done.returncode == 2
    assert "medattn: the lamp is broken" in done.stderr
    assert "process 1 of 2 ended with exit code 2; its own message stands above" in done.stderr
    assert not (checkout / "results/captures").exists()
    module.write_text(whole)
    done = command(checkout)
    assert done.returncode == 0, done.stderr
    assert outputs(checkout / "results") == undisturbed
