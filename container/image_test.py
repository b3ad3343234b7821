"""Build the image's CPU variant without a container engine, run the study in it, and compare every output with dvc.lock.

No daemon and no registry: the base is made with debootstrap, the image is built by Buildah from the Dockerfile, and runs
under runc, which Docker uses too, with a read-only root, no network, a tmpfs on /tmp, and a user without a passwd entry:
    own clone   `dvc exp run -S limit=4` without any mount
    mounted     a clone of HEAD of another owner: `dvc repro -f` without any cache, `make test`, `dvc exp run`
    documented  every line of README.md and docs/container.md that runs the image, word for word, in fresh clones; /mimic is
                a drawn tree of MIMIC-CXR's layout
Needs root, and Debian's packages buildah, debootstrap and runc (installed if apt-get is there). The base and Buildah's
storage lie below MEDATTN_IMAGE_STORE (default ~/.cache/medattn-image). Exit 0: every output has the recorded bytes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import documented

ROOT = Path(__file__).resolve().parent.parent
STORE = Path(os.environ.get("MEDATTN_IMAGE_STORE", Path.home() / ".cache/medattn-image"))
BASE, IMAGE = "localhost/medattn-base", "localhost/medattn"
PACKAGES = ("buildah", "debootstrap", "runc")
SUITE = "bookworm"  # the release the Dockerfile's own base is made of
NOTHING: Mapping = MappingProxyType({})
DRAWN_STUDY = "--questions /mimic/questions/hard_positives.csv --limit 12 --model data/model --dtype float64 --device cpu"
USER, OWNER = 12345, 54321  # neither has a passwd entry


def run(*command: str | Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a failure ends the program with its words."""
    done = subprocess.run([str(part) for part in command], text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with exit code {done.returncode}\n{done.stderr or ''}")
    return done


def output(*command: str | Path) -> str:
    return run(*command, capture_output=True).stdout.strip()


def buildah(*arguments: str | Path) -> list[str | Path]:
    storage = ["--root", STORE / "storage", "--runroot", STORE / "run", "--storage-driver", "vfs"]
    return ["buildah", *storage, *arguments]


def install() -> None:
    """Make sure that the programs are there."""
    if os.geteuid():
        sys.exit("image-test needs root: it makes a base system, mounts it and changes owners. Run it with sudo")
    missing = [name for name in PACKAGES if not shutil.which(name)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        sys.exit(f"image-test needs {', '.join(missing)}: install them")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-qq", "-y", "--no-install-recommends", *missing, stdout=subprocess.DEVNULL)


def base() -> None:
    """A base image with a Python of the right version, unless one is there."""
    if subprocess.run(map(str, buildah("inspect", "--type", "image", BASE)), capture_output=True, check=False).returncode == 0:
        return
    with tempfile.TemporaryDirectory(dir=STORE) as directory:
        run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", SUITE, directory,
            stdout=subprocess.DEVNULL)  # fmt: skip
        container = output(*buildah("from", "scratch"))
        run(*buildah("add", "--quiet", container, directory, "/"), stdout=subprocess.DEVNULL)
        run(*buildah("commit", "--quiet", "--rm", container, BASE), stdout=subprocess.DEVNULL)


def pip_settings(directory: Path) -> list[str]:
    """Options that hand this machine's pip settings (mirror, certificate, directories of packages) to the build."""
    settings = dict(
        re.findall(r"^(?:global|install|:env:)\.([a-z-]+)='(.*)'$", output("python3", "-m", "pip", "config", "list"), re.M)
    )
    kept = {name: value for name, value in settings.items() if name in ("cert", "index-url", "find-links", "timeout")}
    options = []
    if "cert" in kept:
        options += ["--volume", f"{kept['cert']}:/run/pip-ca.crt:ro"]
        kept["cert"] = "/run/pip-ca.crt"
    for place in kept.get("find-links", "").split():
        if Path(place).is_dir():
            options += ["--volume", f"{place}:{place}:ro"]
    config = directory / "pip.conf"
    config.write_text("[global]\n" + "".join(f"{name} = {value}\n" for name, value in kept.items()))
    return [*options, "--volume", f"{config}:/etc/pip.conf:ro"]


def build(clone: Path) -> None:
    """The CPU variant of the clone's Dockerfile."""
    index = os.environ.get("TORCH_INDEX")
    with tempfile.TemporaryDirectory() as directory:
        run(*buildah("bud", "--quiet", "--isolation", "chroot", "--network", "host", "--tag", IMAGE,
            "--build-arg", f"BASE_IMAGE={BASE}", "--build-arg", "TORCH=cpu",
            *(["--build-arg", f"TORCH_INDEX={index}"] if index else []),
            "--build-arg", f"REVISION={output('git', '-C', clone, 'rev-parse', 'HEAD')}",
            *pip_settings(Path(directory)), clone), capture_output=True)  # fmt: skip


class Container:
    """The image's root file system, read-only, and what runs in it."""

    def __init__(self, name: str | None = None) -> None:
        """A new one, or the one that is called `name`."""
        self.name = name or output(*buildah("from", IMAGE))
        self.root = Path(output(*buildah("mount", self.name)))
        self.config = json.loads(output(*buildah("inspect", "--type", "image", IMAGE)))["OCIv1"]["config"]

    def remove(self) -> None:
        run(*buildah("umount", self.name), stdout=subprocess.DEVNULL)
        run(*buildah("rm", self.name), stdout=subprocess.DEVNULL)

    def run(self, *command: str, mounts: Mapping[str, Path] = NOTHING, environment: Mapping[str, str] = NOTHING) -> str:
        """What a command prints: as `docker run --read-only --tmpfs /tmp --network none --user 12345:12345 …` runs it.

        mounts: place in the container -> directory, /mimic and /models read-only. Ends the program if the command fails.
        """
        with tempfile.TemporaryDirectory() as directory:
            bundle = Path(directory)
            run("runc", "spec", "--bundle", bundle)
            spec = json.loads((bundle / "config.json").read_text())
            spec["root"] = {"path": str(self.root), "readonly": True}
            spec["process"] |= {
                "terminal": False,
                "user": {"uid": USER, "gid": USER},
                "cwd": self.config["WorkingDir"],
                "env": [*self.config["Env"], *(f"{name}={value}" for name, value in environment.items())],
                "args": [*self.config["Entrypoint"], *(command or self.config["Cmd"])],
            }
            spec["process"].pop("rlimits", None)
            spec["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["mode=1777"]})
            for place, source in mounts.items():
                options = ["rbind", "ro" if place in ("/mimic", "/models") else "rw"]
                spec["mounts"].append({"destination": place, "type": "bind", "source": str(source), "options": options})
            (bundle / "config.json").write_text(json.dumps(spec))
            log = bundle / "log"
            with log.open("w") as file:
                code = subprocess.run(
                    ["runc", "run", "--bundle", bundle, f"medattn-{os.getpid()}"],
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    check=False,
                ).returncode
            text = re.sub(r"[^\n]*\r", "", log.read_text(errors="replace"))
        if code:
            sys.exit(f"{' '.join(command)} ended with exit code {code} in the container:\n{text[-6000:]}")
        return text


def recorded(lock: Path) -> dict[str, str]:
    """path -> md5 of every output in a dvc.lock (its own small YAML, read without a library)."""
    outputs = re.sub(r"    deps:\n(?:    [- ].*\n)*", "", lock.read_text(encoding="utf-8"))
    return dict(re.findall(r"- path: (\S+)\n      hash: md5\n      md5: (\S+)", outputs))


def megabytes(path: Path) -> int:
    """Size of a directory, in MiB."""
    return int(output("du", "-s", "--block-size=1M", path).split()[0])


def step(name: str, start: float) -> None:
    print(f"{time.monotonic() - start:6.0f} s  {name}", flush=True)


def main() -> int:
    install()
    STORE.mkdir(parents=True, exist_ok=True, mode=0o700)
    start = time.monotonic()
    base()
    step("base image", start)
    with tempfile.TemporaryDirectory(dir=STORE) as directory:
        clone = Path(directory) / "clone"
        run("git", "clone", "--quiet", ROOT, clone)
        start = time.monotonic()
        build(clone)
        container = Container()
        try:
            torch = next(container.root.glob("opt/venv/lib/python3*/site-packages/torch"))
            step(f"image built: {megabytes(container.root):,} MB, of them torch {megabytes(torch):,}", start)
            return try_out(container, clone)
        finally:
            container.remove()


def give_away(directory: Path) -> None:
    """To a user who is not the container's; everyone may write."""
    run("chmod", "-R", "a+rwX", directory)
    run("chown", "-R", f"{OWNER}:{OWNER}", directory)


def stand_in(name: str, *arguments: str) -> None:
    """What a line's `docker run` does here: the same command in the container `name`, as the strictest of the lines asks.

    /mimic holds a drawn tree, so the study is assembled small and of the embedded model instead of MedGemma.
    """
    asked = documented.parse(arguments)
    more = DRAWN_STUDY.split() if asked.command[:3] == ("medattn", "study", "mimic-cxr") else []
    for directory in asked.mounts.values():
        give_away(directory)
    print(Container(name).run(*asked.command, *more, mounts=asked.mounts, environment=asked.environment))


def documented_lines(container: Container, clone: Path) -> None:
    """Every line of the pages that runs the image, word for word by a shell, in a fresh clone per page."""
    for page in documented.PAGES:
        place = clone.with_name(page.replace("/", "-"))
        run("git", "clone", "--quiet", ROOT, place / "clone")
        (place / "models").mkdir()
        (place / "bin").mkdir()
        docker = place / "bin/docker"
        docker.write_text(f'#!/bin/sh\nshift\nexec "{sys.executable}" "{__file__}" stand-in {container.name} "$@"\n')
        docker.chmod(0o755)
        (place / "drawn").mkdir()
        give_away(place)
        drawing = {"/workspace": place / "clone", "/drawn": place / "drawn"}
        container.run("medattn", "study", "fake-mimic", "--out", "/drawn/tree", mounts=drawing)
        known = {
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "MIMIC": str(place / "drawn/tree"),
            "HF": str(place / "models"),
        }
        for line in documented.lines((ROOT / page).read_text(encoding="utf-8")):
            start = time.monotonic()
            run("bash", "-c", line, cwd=place / "clone", env=os.environ | known, capture_output=True)
            step(f"{page}: {line.splitlines()[-1]}", start)


def try_out(container: Container, clone: Path) -> int:
    """Every way of running, and the table of outputs."""
    start = time.monotonic()
    said = container.run("dvc", "exp", "run", "-S", "limit=4", environment={"MEDATTN_CACHE": "off"})
    assert "/tmp/medattn" in said and "Ran experiment" in said, said
    step("own clone, read-only, no network, unknown user: dvc exp run -S limit=4", start)

    give_away(clone)
    mounted = {"/workspace": clone}
    before, start = recorded(clone / "dvc.lock"), time.monotonic()
    container.run("dvc", "repro", "--force", mounts=mounted, environment={"MEDATTN_CACHE": "off"})
    step("mounted clone of another owner: dvc repro --force, without any cache", start)
    after = recorded(clone / "dvc.lock")
    differing = sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path))
    for path in sorted(before.keys() | after.keys()):
        print(f"          {'DIFFERENT' if path in differing else 'same     '}  {after.get(path, 'missing')[:12]}  {path}")
    start = time.monotonic()
    said = container.run("make", "test", mounts=mounted)
    step(f"make test: {said.strip().splitlines()[-1]}", start)
    start = time.monotonic()
    said = container.run("dvc", "exp", "run", "-S", "aggregate.profiles.decision.layers=[0]", mounts=mounted)
    assert "Running stage 'aggregate'" in said and "Running stage 'extract'" not in said, said
    step("dvc exp run on other layers, without extracting again", start)
    documented_lines(container, clone)
    print("every output has the bytes that dvc.lock records" if before and not differing else "dvc.lock records other bytes")
    return 1 if differing or not before else 0


if __name__ == "__main__":
    sys.exit(stand_in(*sys.argv[2:]) if sys.argv[1:2] == ["stand-in"] else main())
