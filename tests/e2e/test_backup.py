"""A running installation is backed up and restored in another home: clients go on there with the keys they have."""

import json
from pathlib import Path

from ovasabi_client import Client
from tests.e2e.conftest import Program, free_port

FILES = ["database.dump", "manifest.json"]


def test_a_restored_home_serves_the_same_data_to_the_same_keys(program: Program, tmp_path: Path) -> None:
    program.up()
    key = program.run("keys", "create", "shop", "--role", "writer").stdout.strip()
    with Client(program.address, key) as client:
        python = client.campaign("python")
        made = python.contents.create(title="Kept")
    backup = tmp_path / "backup"
    ran = program.run("backup", str(backup))
    assert (ran.returncode, ran.stdout.partition(" rows in ")[2][:2].isdigit()) == (0, True), ran.stderr
    assert sorted(path.name for path in backup.iterdir()) == FILES
    again = program.run("backup", str(backup))
    assert (again.returncode, again.stderr) == (
        1,
        f"error: No backup was made: {backup} already exists.\nhint: Choose a directory that does not exist yet.\n",
    )
    occupied = program.run("restore", str(backup))
    assert occupied.returncode == 1
    assert "the database is not empty" in occupied.stderr
    assert program.stop() == 0

    other = Program(tmp_path / "other", free_port())
    assert "the backup is complete" in other.run("restore", str(backup), "--check").stdout
    assert not other.home.exists()
    restored = other.run("restore", str(backup))
    assert (restored.returncode, "restored and checked in" in restored.stdout) == (0, True), restored.stderr
    assert restored.stderr.endswith("Run: ovasabi up\n")
    for output in (ran, restored):
        assert key.split("_", 2)[2] not in output.stdout + output.stderr
    assert key.split("_", 2)[2].encode() not in b"".join((backup / name).read_bytes() for name in FILES)
    try:
        other.up()
        with Client(other.address, key) as client:
            python = client.campaign("python")
            assert python.contents.get(made.id) == made
            assert python.search("kept").hits[0].id == made.id
            assert python.contents.create(title="After").id > made.id
    finally:
        other.stop()


def test_a_damaged_backup_is_refused_before_a_database_is_created(program: Program, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    assert program.run("migrate").returncode == 0
    assert program.run("backup", str(backup)).returncode == 0
    other = Program(tmp_path / "other", free_port())
    manifest = json.loads((backup / FILES[1]).read_text())
    manifest["inventory"]["tables"]["master"]["rows"] += 1
    (tmp_path / "edited").mkdir()
    (tmp_path / "edited" / FILES[0]).write_bytes((backup / FILES[0]).read_bytes())
    (tmp_path / "edited" / FILES[1]).write_text(json.dumps(manifest))
    ran = other.run("restore", str(tmp_path / "edited"), "--check")
    assert (ran.returncode, ran.stdout, "rows of master, but manifest.json says" in ran.stderr) == (1, "", True)
    (backup / FILES[0]).write_bytes((backup / FILES[0]).read_bytes()[:-1])
    for arguments in (("--check",), ()):
        ran = other.run("restore", str(backup), *arguments)
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith(f"error: Nothing was restored: {backup / FILES[0]} has ")
    assert not other.home.exists()
