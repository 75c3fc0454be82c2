"""Whatever strikes the program while callers work: nothing acknowledged is lost or doubled, and the feed is whole."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Program, free_port
from tests.faults.storm import FAULTS, Storm, can_mount, fill_disk, small_disk

pytestmark = pytest.mark.versions("18")
SEED = int(os.environ.get("SEED", "1"))


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """The program on an empty home; stopped at the end, whatever happened."""
    made = Program(tmp_path / "home", free_port())
    made.environment |= {"OVASABI_REQUEST_TIMEOUT_SECONDS": "5"}
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


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
