"""Where the secret keys are: in OVASABI_SECRET_KEY, or in a file of the home that is made when it is first needed."""

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from ovasabi.database.os_user import make_directory
from ovasabi.database.secret_keys import SHORTEST, SecretKeys
from ovasabi.errors import SettingsError, StartError
from ovasabi.settings import Settings

FILE = "secret.key"
_HINT = "Set OVASABI_SECRET_KEY to a random string, for example from: openssl rand -base64 32"


def secret_keys(settings: Settings) -> SecretKeys:
    """Returns the secret keys of the installation. Without a setting, they are in a file of the home."""
    if settings.secret_key is not None:
        keys = re.split(r"[\s,]+", settings.secret_key.get_secret_value().strip(" ,\n"))
        return _checked(keys, "OVASABI_SECRET_KEY has", _HINT)
    path = settings.home / FILE
    try:
        if not path.exists():
            _create(path)
        keys = path.read_text().split()
    except (OSError, UnicodeDecodeError) as error:
        problem = f"The secret key in {path} can be neither read nor created: {type(error).__name__}."
        raise StartError(problem=problem, hint=_HINT) from error
    return _checked(keys, f"{path} has", "It has one key in each line, the current one first.")


def _checked(keys: list[str], where: str, hint: str) -> SecretKeys:
    if not keys or any(len(key) < SHORTEST for key in keys):
        problem = f"{where} a key with fewer than {SHORTEST} characters."
        raise SettingsError(field="OVASABI_SECRET_KEY", problem=problem, hint=hint)
    return SecretKeys(keys)


def _create(path: Path) -> None:
    """Creates the file whole; of several processes that do, all then have the key of the first."""
    make_directory(path.parent)
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)
