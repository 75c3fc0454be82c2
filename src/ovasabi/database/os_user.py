"""The user that PostgreSQL runs as: the current one or, because it refuses to run as root, an unprivileged one."""

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
    """A user of the operating system; `ours` is true for the user that this process runs as."""

    uid: int
    gid: int
    name: str
    ours: bool

    def identity(self) -> dict[str, Any]:
        """Returns `subprocess.Popen` arguments to run as this user, without preexec_fn: it is unsafe with threads."""
        return {} if self.ours else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        """Makes this user the owner of a file or directory that we have just created."""
        if not self.ours:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def let_pass(self, path: Path) -> list[Path]:
        """Lets this user reach `path`: adds o+x, never read access, to parents that lack it, and returns those."""
        changed: list[Path] = []
        for parent in () if self.ours else path.resolve().parents:
            status = parent.stat()
            if status.st_mode & 0o001 or (status.st_uid == self.uid and status.st_mode & 0o100):
                continue
            parent.chmod(status.st_mode & 0o7777 | 0o001)
            changed.append(parent)
        return changed


def make_directory(path: Path) -> None:
    """Creates a private directory. If root owns it, PostgreSQL's user can pass through it, but not list it."""
    path.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)


def os_user_for(data: Path) -> OsUser:
    """Returns the current user; for root, the data directory's owner if that is not root, otherwise a system user."""
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
