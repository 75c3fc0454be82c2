"""Whatever strikes the program while callers work: nothing acknowledged is lost or doubled, and the feed is whole."""

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from tests.faults.storm import FAULTS, Storm, can_mount, fill_disk, small_disk

pytestmark = pytest.mark.versions("18")
SEED = int(os.environ.get("SEED", "1"))


async def test_what_holds_whatever_strikes(program: Program) -> None:
    await Storm(program, SEED).run(FAULTS)


async def test_what_holds_when_the_disk_is_full(program: Program, tmp_path: Path) -> None:
    if not can_mount():
        pytest.skip("only root can mount the small file system that this needs")
    with small_disk(tmp_path / "disk") as disk:
        program.home = disk / "home"
        program.environment["OVASABI_HOME"] = str(program.home)
        storm = Storm(program, SEED)
        await storm.run([fill_disk])
        program.stop()
