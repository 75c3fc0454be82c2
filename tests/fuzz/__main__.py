"""`python -m tests.fuzz --minutes 10`: fuzzes the running program for as long as is wanted, with a seed of its own."""

import argparse
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.conftest import Program, free_port
from tests.fuzz.runs import Run, fuzz
from tests.fuzz.world import made

CONFINED_SHARE = 0.25
"""Of the time over HTTP, for a key that is confined to a campaign; the rest is for one of the platform."""
GRPC_SHARE = 0.25
"""Of the time, for gRPC."""
GRPC_EXAMPLES = 40
"""Messages for each procedure that about a minute is enough for."""
GRPC = "tests/integration/gateway/test_grpc_fuzz.py"


def main() -> int:
    """Fuzzes, and answers the exit code: 0 only if no answer was wrong and the closed campaign is as it was."""
    arguments = _arguments()
    seed = arguments.seed or random.SystemRandom().randrange(1, 1 << 31)
    minutes = arguments.minutes * (1 - GRPC_SHARE)
    with tempfile.TemporaryDirectory(prefix="ovasabi-fuzz-") as folder:
        program = Program(Path(folder) / "home", free_port())
        program.up()
        try:
            world = made(program)
            before = world.closed_rows()
            runs = [
                _run(program.key, world, Path(folder) / "platform", seed, minutes * (1 - CONFINED_SHARE)),
                _run(world.key(), world, Path(folder) / "confined", seed, minutes * CONFINED_SHARE, True),
            ]
            same = world.closed_rows() == before
        finally:
            program.stop()
    grpc = _grpc(seed, arguments.minutes * GRPC_SHARE)
    passed = all(run.code == 0 and run.tally.total() for run in runs)
    good = passed and same and "Traceback" not in program.output and grpc
    print(f"seed {seed}; the closed campaign is {'as it was' if same else 'CHANGED'}; {'passed' if good else 'FAILED'}")
    print(f"the same again: make fuzz MINUTES={arguments.minutes} SEED={seed}")
    return 0 if good else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0, help="of an earlier run; without, a random one")
    return parser.parse_args()


def _run(key: str, world, folder: Path, seed: int, minutes: float, confined: bool = False) -> Run:
    seconds = max(1, round(minutes * 60))
    print(f"== fuzz: HTTP, {'a key of one campaign' if confined else 'a key of the platform'}, seed {seed}", flush=True)
    limits = ["--max-time", str(seconds), "--seed", str(seed), "-n", "100", "--generation-database", ":memory:"]
    return fuzz(world, folder, key, limits, confined=confined, show=True)


def _grpc(seed: int, minutes: float) -> bool:
    """The same tests as always, with more messages, on a server of their own; about as long as is wanted."""
    print(f"== fuzz: gRPC, seed {seed}", flush=True)
    examples = max(10, round(minutes * GRPC_EXAMPLES))
    command = [sys.executable, "-m", "pytest", "-q", GRPC, "-k", "pg18", f"--hypothesis-seed={seed}"]
    return subprocess.run(command, env=os.environ | {"OVASABI_TEST_FUZZ_EXAMPLES": str(examples)}).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
