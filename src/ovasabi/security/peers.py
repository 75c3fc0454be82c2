"""Peers, the processes of one platform: which services run where, and on whose behalf one process calls another."""

import re
import time
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from ovasabi.errors import Kind, OvasabiError, SettingsError, such_as
from ovasabi.kernel.call.context import Principal
from ovasabi.security.keys import Unauthenticated
from ovasabi.settings import Settings

SCHEME = "peer"
VALID_SECONDS = 10
TOLERATED_SECONDS = 120
"""By how much the clocks of two processes may differ."""
SHORTEST_SECRET = 32
_ALGORITHM = "HS256"
_PEER = re.compile(r"(\*|[a-z][a-z0-9_]*)=(\S+)")


class ClocksDiffer(OvasabiError):
    """The clocks of two processes of the platform differ too much for one to trust what the other signed."""

    kind = Kind.UNAVAILABLE
    code = "clocks_differ"
    message = (
        "The call of another process was signed {seconds} seconds {when}, by the clock of the process it was sent to."
    )
    hint = f"Synchronize the clocks of all machines; they may differ by up to {TOLERATED_SECONDS} seconds."
    example = such_as(seconds=421, when="in the future")


class Peers:
    """The addresses of services that do not run here, and the secret by which processes authenticate each other."""

    def __init__(
        self,
        local: frozenset[str],
        addresses: dict[str, str],
        secret: str | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self.local = local
        self._addresses = addresses
        self._secret = secret

    def address(self, folder: str) -> str:
        """Returns the gRPC target of a service: `host:port`, or `dns:///host:port` for all addresses of a name."""
        return (self._addresses.get(folder) or self._addresses["*"]).replace("{service}", folder)

    def vouch(self, principal: Principal, service: str, method: str) -> str:
        """Returns credentials that tell another process who the caller is: signed, for one method, for ten seconds.

        It has those beside what the clocks may differ by. `service` is the folder of the service that is called.
        """
        from joserfc import jwt  # loaded only if there are peers

        claims = {"sub": principal.name, "campaign": principal.campaign_id, "role": principal.role.value}
        claims |= {"aud": service, "method": method}
        token = jwt.encode({"alg": _ALGORITHM}, claims | {"exp": int(self._clock()) + VALID_SECONDS}, self._key())
        return f"{SCHEME} {token}"

    def vouched(self, token: str, service: str, method: str) -> Principal:
        """Returns the caller that another process vouches for, for this method of this service.

        Raises Unauthenticated if the token is not valid, and ClocksDiffer if only its time is not.
        """
        if self._secret is None:
            raise Unauthenticated
        from joserfc import jwt
        from joserfc.errors import JoseError

        try:
            claims = jwt.decode(token, self._key(), algorithms=[_ALGORITHM]).claims
            signed_at = int(claims["exp"]) - VALID_SECONDS
            values = {"name": claims["sub"], "campaign_id": claims["campaign"], "role": claims["role"]}
            principal = msgspec.convert(values, Principal)
            if (claims["aud"], claims["method"]) != (service, method):
                raise Unauthenticated
        except (JoseError, ValueError, TypeError, OverflowError, KeyError, msgspec.ValidationError):
            raise Unauthenticated from None
        age = self._clock() - signed_at
        if not -TOLERATED_SECONDS <= age <= VALID_SECONDS + TOLERATED_SECONDS:
            raise ClocksDiffer(seconds=round(abs(age)), when="ago" if age > 0 else "in the future")
        return principal

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
