"""The client's package has both halves, whether it is built from a checkout or from its own source archive."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import ovasabi
from ovasabi.codegen.client import FOLDER

ROOT = Path(ovasabi.__file__).parents[2]
WANTED = {f"{name}{half}.py" for name in ("api", "transport", "services/content/api") for half in ("", "_async")}


def built(project: Path, target: str) -> Path:
    """Builds a package of a project, and answers it."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", target]
    answer = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=120)
    assert answer.returncode == 0, answer.stderr
    (package,) = [path for path in (project / "dist").iterdir() if (path.suffix == ".whl") == (target == "wheel")]
    return package


def modules_of(wheel: Path) -> set[str]:
    """The modules in a wheel, below the package."""
    with zipfile.ZipFile(wheel) as file:
        return {name.removeprefix("ovasabi_client/") for name in file.namelist() if name.endswith(".py")}


def test_the_wheel_and_the_source_archive_have_both_halves(tmp_path: Path) -> None:
    checkout = tmp_path / "clients" / "python"
    shutil.copytree(ROOT / "clients/python", checkout, ignore=shutil.ignore_patterns("__pycache__", "dist"))
    for name in WANTED:
        if not name.endswith("_async.py"):
            (checkout / FOLDER.relative_to("clients/python") / name).unlink()
    shutil.copy(ROOT / ".gitignore", tmp_path)
    (tmp_path / ".git").mkdir()
    archive = built(checkout, "sdist")
    with tarfile.open(archive) as file:
        file.extractall(tmp_path / "unpacked", filter="data")
    modules = modules_of(built(checkout, "wheel"))
    assert modules >= WANTED
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert {name for name in WANTED if (unpacked / "src/ovasabi_client" / name).is_file()} == WANTED
    assert modules_of(built(unpacked, "wheel")) == modules
