"""Processes of one platform among each other: which services run where, and for whom one calls another."""

import re
import time
from collections.abc import Iterable
from typing import Any

import msgspec

from ovasabi.errors import SettingsError
from ovasabi.kernel.call.context import Principal
from ovasabi.security.keys import Unauthenticated
from ovasabi.settings import Settings

SCHEME = "peer"
VALID_SECONDS = 60
SHORTEST_SECRET = 32
_ALGORITHM = "HS256"
_PEER = re.compile(r"(\*|[a-z][a-z0-9_]*)=(\S+)")


class Peers:
    """Where the services run that do not run here, and the secret by which the processes know each other."""

    def __init__(self, local: frozenset[str], addresses: dict[str, str], secret: str | None) -> None:
        self.local = local
        self._addresses = addresses
        self._secret = secret

    def address(self, folder: str) -> str:
        """Where a service runs, as gRPC names it: `host:port`, or `dns:///host:port` for all that a name stands for."""
        return (self._addresses.get(folder) or self._addresses["*"]).replace("{service}", folder)

    def vouch(self, principal: Principal) -> str:
        """What one process tells another of who calls: signed, and valid for a minute."""
        from joserfc import jwt  # loaded only where there are peers

        claims = {"sub": principal.name, "campaign": principal.campaign_id, "role": principal.role.value}
        token = jwt.encode({"alg": _ALGORITHM}, claims | {"exp": int(time.time()) + VALID_SECONDS}, self._key())
        return f"{SCHEME} {token}"

    def vouched(self, token: str) -> Principal:
        """Who calls, as another process of the platform says; Unauthenticated if none of them did."""
        if self._secret is None:
            raise Unauthenticated
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(token, self._key(), algorithms=[_ALGORITHM]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
            told = {"name": claims["sub"], "campaign_id": claims["campaign"], "role": claims["role"]}
            return msgspec.convert(told, Principal)
        except (JoseError, ValueError, KeyError, msgspec.ValidationError):
            raise Unauthenticated from None

    def _key(self) -> Any:
        from joserfc.jwk import OctKey

        return OctKey.import_key(self._secret or "")


def peers_of(settings: Settings, folders: Iterable[str]) -> Peers:
    """The peers that the settings name; an error if a service would run nowhere."""
    known = frozenset(folders)
    local = frozenset(name for name in re.split(r"[\s,]+", settings.services) if name) or known
    for name in local - known:
        raise _unknown("OVASABI_SERVICES", name, known)
    addresses = _addresses(settings.peers, known)
    secret = settings.peer_secret.get_secret_value() if settings.peer_secret is not None else None
    for name in sorted(known - local):
        if name not in addresses and "*" not in addresses:
            raise _wrong("OVASABI_PEERS", f"The service {name} runs neither here nor elsewhere.", _SUCH_AS)
    if (local != known or secret is not None) and len(secret or "") < SHORTEST_SECRET:
        hint = "Set it to the same random text in all processes, such as of: openssl rand -base64 32"
        raise _wrong("OVASABI_PEER_SECRET", f"The secret of the peers has {SHORTEST_SECRET} characters at least.", hint)
    return Peers(local, addresses, secret)


_SUCH_AS = "Such as: OVASABI_PEERS='user=users:8001 *=dns:///{service}.internal:8001'."


def _addresses(text: str, known: frozenset[str]) -> dict[str, str]:
    addresses = {}
    for part in (part for part in re.split(r"[\s,]+", text) if part):
        match = _PEER.fullmatch(part)
        if match is None:
            raise _wrong("OVASABI_PEERS", f"{part!r} is no service with its address.", _SUCH_AS)
        if match[1] != "*" and match[1] not in known:
            raise _unknown("OVASABI_PEERS", match[1], known)
        addresses[match[1]] = match[2]
    return addresses


def _unknown(field: str, name: str, known: frozenset[str]) -> SettingsError:
    return _wrong(field, f"There is no service {name!r}.", f"There are: {', '.join(sorted(known))}.")


def _wrong(field: str, problem: str, hint: str) -> SettingsError:
    return SettingsError(field=field, problem=problem, hint=hint)
