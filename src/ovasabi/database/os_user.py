"""The user that PostgreSQL runs as: ourselves, or, since it refuses to be root, one without privileges."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ovasabi.errors import StartError

CREATED = "pgserver"
FALLBACKS = ("postgres", "nobody")


@dataclass(frozen=True)
class OsUser:
    """A user of the operating system; `ours` when it is the one that we run as."""

    uid: int
    gid: int
    name: str
    ours: bool

    def identity(self) -> dict[str, Any]:
        """What `subprocess.Popen` needs to run as this user; no preexec_fn, which is not safe beside threads."""
        return {} if self.ours else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Make this user the owner of a file or directory that we have just made."""
        if not self.ours:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def let_pass(self, path: Path) -> list[Path]:
        """Let this user walk to `path`: add o+x, never a right to read, to parents without it, and return those."""
        changed: list[Path] = []
        for parent in () if self.ours else path.resolve().parents:
            status = parent.stat()
            if status.st_mode & 0o001 or (status.st_uid == self.uid and status.st_mode & 0o100):
                continue
            parent.chmod(status.st_mode & 0o7777 | 0o001)
            changed.append(parent)
        return changed


def make_directory(path: Path) -> None:
    """Make a directory for us alone; of root's, PostgreSQL's user may pass through it but not look into it."""
    path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def os_user_for(data: Path) -> OsUser:
    """The user for this data directory: its owner if it exists, else ourselves, or as root a system user."""
    if os.geteuid() != 0:
        return OsUser(os.geteuid(), os.getegid(), _name(os.geteuid()), ours=True)
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return OsUser(owner.st_uid, owner.st_gid, _name(owner.st_uid), ours=False)
    for name in (CREATED, *FALLBACKS):
        if (user := _find(name) or (_create(name) if name == CREATED else None)) is not None:
            return OsUser(user.pw_uid, user.pw_gid, user.pw_name, ours=False)
    raise StartError(
        problem="PostgreSQL cannot run as root, and no other user for it was found.",
        hint=f"Create one (useradd --system {CREATED}), or run as an ordinary user.",
    )


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _create(name: str) -> pwd.struct_passwd | None:
    command = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if command is None:
        return None
    arguments = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run([command, *arguments, "--shell", "/usr/sbin/nologin", name], capture_output=True, check=False)
    return _find(name)
