"""Peers, the processes of one platform: which services run where, and on whose behalf one process calls another."""

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
    """The addresses of services that do not run here, and the secret by which processes authenticate each other."""

    def __init__(self, local: frozenset[str], addresses: dict[str, str], secret: str | None) -> None:
        self.local = local
        self._addresses = addresses
        self._secret = secret

    def address(self, folder: str) -> str:
        """Returns the gRPC target of a service: `host:port`, or `dns:///host:port` for all addresses of a name."""
        return (self._addresses.get(folder) or self._addresses["*"]).replace("{service}", folder)

    def vouch(self, principal: Principal) -> str:
        """Returns credentials that tell another process who the caller is: signed, and valid for a minute."""
        from joserfc import jwt  # loaded only if there are peers

        claims = {"sub": principal.name, "campaign": principal.campaign_id, "role": principal.role.value}
        token = jwt.encode({"alg": _ALGORITHM}, claims | {"exp": int(time.time()) + VALID_SECONDS}, self._key())
        return f"{SCHEME} {token}"

    def vouched(self, token: str) -> Principal:
        """Returns the caller that another process vouches for; raises Unauthenticated if the token is not valid."""
        if self._secret is None:
            raise Unauthenticated
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(token, self._key(), algorithms=[_ALGORITHM]).claims
            jwt.JWTClaimsRegistry(exp={"essential": True}).validate(claims)
            values = {"name": claims["sub"], "campaign_id": claims["campaign"], "role": claims["role"]}
            return msgspec.convert(values, Principal)
        except (JoseError, ValueError, KeyError, msgspec.ValidationError):
            raise Unauthenticated from None

    def _key(self) -> Any:
        from joserfc.jwk import OctKey

        return OctKey.import_key(self._secret or "")


def peers_of(settings: Settings, folders: Iterable[str]) -> Peers:
    """Returns the configured peers; raises SettingsError if a service would not run anywhere."""
    known = frozenset(folders)
    local = frozenset(name for name in re.split(r"[\s,]+", settings.services) if name) or known
    for name in local - known:
        raise _unknown("OVASABI_SERVICES", name, known)
    addresses = _addresses(settings.peers, known)
    secret = settings.peer_secret.get_secret_value() if settings.peer_secret is not None else None
    for name in sorted(known - local):
        if name not in addresses and "*" not in addresses:
            raise _wrong(
                "OVASABI_PEERS", f"The service {name} does not run here, and no address is set for it.", _EXAMPLE
            )
    if (local != known or secret is not None) and len(secret or "") < SHORTEST_SECRET:
        hint = "Set it to the same random string in all processes, for example from: openssl rand -base64 32"
        problem = f"OVASABI_PEER_SECRET must have at least {SHORTEST_SECRET} characters."
        raise _wrong("OVASABI_PEER_SECRET", problem, hint)
    return Peers(local, addresses, secret)


_EXAMPLE = "Example: OVASABI_PEERS='user=users:8001 *=dns:///{service}.internal:8001'"


def _addresses(text: str, known: frozenset[str]) -> dict[str, str]:
    addresses = {}
    for part in (part for part in re.split(r"[\s,]+", text) if part):
        match = _PEER.fullmatch(part)
        if match is None:
            raise _wrong("OVASABI_PEERS", f"{part!r} is not a service and its address.", _EXAMPLE)
        if match[1] != "*" and match[1] not in known:
            raise _unknown("OVASABI_PEERS", match[1], known)
        addresses[match[1]] = match[2]
    return addresses


def _unknown(field: str, name: str, known: frozenset[str]) -> SettingsError:
    return _wrong(field, f"The service {name!r} does not exist.", f"Available services: {', '.join(sorted(known))}.")


def _wrong(field: str, problem: str, hint: str) -> SettingsError:
    return SettingsError(field=field, problem=problem, hint=hint)
