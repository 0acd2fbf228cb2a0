"""The image, built from the Dockerfile once for the whole suite."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.suites.image.containers import BASE, IMAGE, PODMAN, REVISION, WHEELS, ContainerProgram

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Download the packages that the image installs, because the build has no network; return their folder."""
    folder = tmp_path_factory.mktemp("wheels")
    text = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, build = text["project"], text["build-system"]["requires"]
    requirements = [*project["dependencies"], *project["optional-dependencies"]["postgresql"], *build]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    download = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(folder)]
    subprocess.run([*download, *constraints, *requirements], check=True)
    return folder


@pytest.fixture(scope="session")
def base() -> str:
    """Return the base image. If it has not been pulled, build a replacement from Debian with its Python."""
    if subprocess.run(["podman", "image", "exists", BASE], check=False).returncode:
        bootstrap(BASE)
    return BASE


def bootstrap(image: str, *packages: str) -> None:
    """Build an image of Debian with its Python and further packages."""
    include = ",".join(("python3-minimal", "ca-certificates", "python3-venv", *packages))
    command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={include}", "bookworm", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as mmdebstrap:
        subprocess.run(["podman", "import", "--quiet", "-", image], stdin=mmdebstrap.stdout, check=True)
    assert mmdebstrap.returncode == 0


@pytest.fixture(scope="session")
def image(base: str, wheels: Path) -> Iterator[str]:
    """Build the image without network and build cache; remove it at the end."""
    arguments = {
        "PYTHON_IMAGE": base,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": WHEELS,
        "REVISION": REVISION,
        "VERSION": "1.2.3",
        "CREATED": "2026-01-02T03:04:05Z",
    }
    options = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    build = [
        "buildah",
        "bud",
        "--isolation",
        "chroot",
        "--pull-never",
        "--format",
        "docker",
        f"--volume={wheels}:{WHEELS}:ro",
    ]
    built = subprocess.run([*build, *options, f"--tag={IMAGE}", str(ROOT)], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    yield IMAGE
    subprocess.run(["podman", "image", "rm", "--force", IMAGE], capture_output=True, check=True)


@pytest.fixture
def run_container(image: str) -> Iterator[Callable[..., ContainerProgram]]:
    """Yield a function that returns a container; remove the containers at the end."""
    containers: list[ContainerProgram] = []

    def run(*arguments: str, options: tuple[str, ...] = ()) -> ContainerProgram:
        containers.append(ContainerProgram(list(arguments), image=image, options=options))
        return containers[-1]

    yield run
    for container in containers:
        container.kill()


@pytest.fixture
def volume() -> Iterator[str]:
    """Yield an empty named volume."""
    name = subprocess.run([*PODMAN, "volume", "create"], capture_output=True, text=True, check=True).stdout.strip()
    yield name
    subprocess.run([*PODMAN, "volume", "rm", "--force", name], capture_output=True, check=True)
