"""`make faults`: faults in random order for some minutes, and then as long without any: what is in use stays level."""

import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tests.e2e.conftest import Program, free_port
from tests.faults.storm import FAULTS, Fault, Storm, can_mount, fill_disk, small_disk

SECONDS = 60 * float(os.environ.get("MINUTES", "10"))
SEED = int(os.environ.get("SEED") or time.time())
SAMPLE_SECONDS = 5.0
ROOM = 1.1, 16.0
"""By how much the memory of the last part may exceed that of the part before it: a factor, and megabytes."""


class Use(msgspec.Struct, frozen=True):
    """What the program uses: megabytes of memory, open files and sessions of the server."""

    megabytes: float
    files: int
    sessions: int


async def test_what_holds_whatever_strikes_for_long(tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    storm = Storm(program_on(tmp_path / "home"), SEED)
    storm.told = print
    end = time.monotonic() + SECONDS / 2

    def faults() -> Iterator[Fault]:
        while time.monotonic() < end:
            yield storm.random.choice(FAULTS)

    try:
        await storm.run(faults())
    finally:
        stop(storm.program)


async def test_what_holds_when_the_disk_is_full_again_and_again(tmp_path: Path) -> None:
    if not can_mount():
        raise AssertionError("this needs root, to mount a small file system")
    with small_disk(tmp_path / "disk") as disk:
        storm = Storm(program_on(disk / "home"), SEED)
        storm.told = print
        try:
            await storm.run([fill_disk] * 5)
        finally:
            stop(storm.program)


async def test_what_is_in_use_stays_level(tmp_path: Path) -> None:
    storm = Storm(program_on(tmp_path / "home"), SEED)
    uses: list[Use] = []

    async def sample(storm: Storm) -> None:
        uses.append(await use_of(storm))
        print(uses[-1])

    try:
        await storm.run([sample] * max(12, int(SECONDS / 2 / SAMPLE_SECONDS)), SAMPLE_SECONDS)
    finally:
        stop(storm.program)
    third = len(uses) // 3
    middle, last = uses[third : 2 * third], uses[2 * third :]
    for name in Use.__struct_fields__:
        before, after = (statistics.median(getattr(use, name) for use in part) for part in (middle, last))
        print(f"{name}: {before:g}, then {after:g}")
        room = before * ROOM[0] + ROOM[1] if name == "megabytes" else before + 4
        assert after <= room, f"{name} grew from {before:g} to {after:g}"


async def use_of(storm: Storm) -> Use:
    """What the program uses at present."""
    assert storm.program.process is not None
    pid = storm.program.process.pid
    status = await asyncio.to_thread(Path(f"/proc/{pid}/status").read_text)
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    async with storm.administrator() as connection:
        sessions = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        )
    return Use(kilobytes / 1024, len(os.listdir(f"/proc/{pid}/fd")), sessions)


def program_on(home: Path) -> Program:
    """The program on an empty home."""
    return Program(home, free_port())


def stop(program: Program) -> None:
    """Stops the program, if it still runs."""
    if program.process is not None and program.process.poll() is None:
        program.stop()
