"""The import of a file beside a raw COPY of the same rows into the same three tables."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.lab import CAMPAIGN, Lab, clean_environment
from benchmarks.plan import Measured, Plan, Run, run_of
from benchmarks.rows import Table, drafts


async def measure(lab: Lab, plan: Plan, say: Callable[[str], None]) -> list[Run]:
    """Both as a user would time them: the whole command, from its start to its end."""
    count = plan.import_rows
    await lab.fresh("ovasabi_copy", of_ovasabi=True)
    script = Table.of_ovasabi(count, lab.campaign).write(lab.folder / "copy", drafts(count, "imported"))
    begun = time.monotonic()
    lab.psql("ovasabi_copy", script)
    copied = _measured(count, begun)
    say(f"import: raw COPY {copied.rate:,.0f} rows/s")

    url = await lab.fresh("ovasabi_import", of_ovasabi=True)
    file = lab.folder / "contents.jsonl"
    file.write_text("".join(json.dumps(draft) + "\n" for draft in drafts(count, "imported")))
    command = [sys.executable, "-m", "ovasabi", "import", "contents", str(file), "--campaign", CAMPAIGN]
    environment = clean_environment(OVASABI_DATABASE_URL=url, OVASABI_HOME=str(lab.folder / "home"))
    begun = time.monotonic()
    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, cwd=lab.folder, capture_output=True, text=True, check=False
    )
    imported = _measured(count, begun, errors=int(done.returncode != 0 or f"{count:,} created" not in done.stdout))
    say(f"import: {imported.rate:,.0f} rows/s ({(done.stdout or done.stderr).strip()})")
    return [run_of("limit", "import", 0, copied), run_of("ovasabi", "import", 0, imported)]


def _measured(count: int, begun: float, errors: int = 0) -> Measured:
    return Measured(round(count / (time.monotonic() - begun), 1), errors=errors)
