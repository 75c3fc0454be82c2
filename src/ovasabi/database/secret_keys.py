"""The secret keys of the installation: under them the database stores requests sealed, and digests that nobody can try.

The first key seals and digests. All others are earlier ones, under which stored values are still read, so that a key
can be replaced while the program runs elsewhere with the old one.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ovasabi.errors import Kind, OvasabiError

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

SHORTEST = 32
SEALED = "sealed:"
_ID_BYTES = 4


class SecretKeyUnknown(OvasabiError):
    """Something in the database was sealed under a secret key that this process does not have."""

    kind = Kind.UNAVAILABLE
    code = "secret_key_unknown"
    message = "The request was sealed under a secret key that this process does not have."
    hint = "OVASABI_SECRET_KEY must be the same in all processes; after a change, keep the earlier key behind the new."


class SecretKeys:
    """Seals and digests under keys; the first is the current one."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = {_derived("id", key)[:_ID_BYTES]: key for key in keys}
        self._current = next(iter(self._keys))

    def __repr__(self) -> str:
        return f"<SecretKeys {', '.join(id.hex() for id in self._keys)}>"

    def digest(self, content: bytes) -> bytes:
        """Returns the id of the current key, and the digest of the content under it: 36 bytes."""
        return self._digest(self._current, content)

    def digests(self, content: bytes) -> list[bytes]:
        """Returns the digests under all keys, the current one first."""
        return [self._digest(id, content) for id in self._keys]

    def may_match(self, stored: bytes, content: bytes) -> bool:
        """Returns whether a stored digest is that of the content; under a key that is not known, it may be."""
        id = stored[:_ID_BYTES]
        return id not in self._keys or hmac.compare_digest(self._digest(id, content), stored)

    def seal(self, text: str) -> str:
        """Returns the text sealed under the current key."""
        return SEALED + self._fernets().encrypt(text.encode()).decode()

    def opened(self, stored: str) -> str:
        """Returns the text that was sealed; one of an earlier version, which sealed nothing, as it is."""
        from cryptography.fernet import InvalidToken

        if not stored.startswith(SEALED):
            return stored
        try:
            text: str = self._fernets().decrypt(stored.removeprefix(SEALED).encode()).decode()
        except InvalidToken:
            raise SecretKeyUnknown from None
        return text

    def _digest(self, id: bytes, content: bytes) -> bytes:
        return id + hmac.digest(_derived("digest", self._keys[id]), content, "sha256")

    def _fernets(self) -> "MultiFernet":
        from cryptography.fernet import Fernet, MultiFernet  # loaded only if something is sealed

        keys = (base64.urlsafe_b64encode(_derived("seal", key)) for key in self._keys.values())
        return MultiFernet([Fernet(key) for key in keys])


@cache
def _derived(purpose: str, key: str) -> bytes:
    # The key is random: it needs no slow derivation, only a different one for each purpose.
    return hashlib.sha256(f"ovasabi {purpose}\0{key}".encode()).digest()
