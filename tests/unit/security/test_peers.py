"""Which services run where, as the settings say; what is wrong in them is refused with the setting's name."""

import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from ovasabi.errors import SettingsError
from ovasabi.kernel.call.context import Principal, Role
from ovasabi.security.keys import Unauthenticated
from ovasabi.security.peers import TOLERATED_SECONDS, VALID_SECONDS, ClocksDiffer, Peers, peers_of
from ovasabi.settings import Settings

FOLDERS = ("content", "product", "user")
SECRET = "s" * 40
WHO = Principal(name="key:test", campaign_id=7, role=Role.WRITER)
CALLED = ("content", "content_get")
CLAIMS = {"sub": "key:test", "campaign": 7, "role": "writer", "aud": CALLED[0], "method": CALLED[1]}


def peers(**settings: Any) -> Peers:
    """The peers of these settings."""
    return peers_of(Settings(**settings), FOLDERS)


def token(claims: dict[str, Any], secret: str = SECRET, algorithm: str = "HS256") -> str:
    """A signed word, whoever says it."""
    key = RSAKey.generate_key() if algorithm.startswith("RS") else OctKey.import_key(secret)
    return jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])


def test_without_settings_everything_runs_here_and_nobody_is_vouched_for() -> None:
    alone = peers()
    assert alone.local == frozenset(FOLDERS)
    for word in ("", "x.y.z", token(CLAIMS | {"exp": int(time.time()) + 60})):
        with pytest.raises(Unauthenticated):
            alone.vouched(word, *CALLED)


def test_a_service_is_where_it_is_named_and_else_where_all_others_are() -> None:
    found = peers(services="content", peers="user=users:8001, *=dns:///{service}.internal:9", peer_secret=SECRET)
    assert found.local == {"content"}
    assert found.address("user") == "users:8001"
    assert found.address("product") == "dns:///product.internal:9"


@pytest.mark.parametrize(
    ("settings", "field", "said"),
    [
        ({"services": "contents"}, "OVASABI_SERVICES", "'contents'"),
        (
            {"services": "content", "peer_secret": SECRET},
            "OVASABI_PEERS",
            "product does not run here, and no address is set",
        ),
        (
            {"services": "content", "peers": "product=a:1", "peer_secret": SECRET},
            "OVASABI_PEERS",
            "user does not run here",
        ),
        ({"peers": "contents=a:1"}, "OVASABI_PEERS", "'contents'"),
        ({"peers": "content"}, "OVASABI_PEERS", "'content' is not a service and its address"),
        ({"peers": "content="}, "OVASABI_PEERS", "'content='"),
        ({"peers": "Content=a:1"}, "OVASABI_PEERS", "'Content=a:1'"),
        ({"services": "content", "peers": "*=a:1"}, "OVASABI_PEER_SECRET", "32 characters"),
        ({"services": "content", "peers": "*=a:1", "peer_secret": "s" * 31}, "OVASABI_PEER_SECRET", "32 characters"),
        ({"peer_secret": "short"}, "OVASABI_PEER_SECRET", "32 characters"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        peers(**settings)
    assert refused.value.field == field
    assert said in str(refused.value)
    assert refused.value.hint
    assert str(settings.get("peer_secret")) not in f"{refused.value} {refused.value.hint}"


def test_a_principal_is_the_same_after_it_was_vouched_for() -> None:
    one, other = (peers(peer_secret=SECRET) for _ in range(2))
    scheme, _, word = one.vouch(WHO, *CALLED).partition(" ")
    assert (scheme, other.vouched(word, *CALLED)) == ("peer", WHO)


NOW = 1_800_000_000.0


def at(seconds: float) -> Peers:
    """Peers of a process whose clock is ahead of NOW by some seconds."""
    return Peers(frozenset(FOLDERS), {}, SECRET, clock=lambda: NOW + seconds)


@pytest.mark.parametrize("ahead", [-TOLERATED_SECONDS, -60, 0, 60, TOLERATED_SECONDS])
@pytest.mark.parametrize("travelled", [0, 1, VALID_SECONDS])
def test_two_minutes_between_the_clocks_of_two_processes_make_no_difference(ahead: float, travelled: float) -> None:
    word = at(0).vouch(WHO, *CALLED).partition(" ")[2]
    assert at(ahead + travelled).vouched(word, *CALLED) == WHO


@pytest.mark.parametrize(
    ("ahead", "said"),
    [(-121, "121 seconds in the future"), (-3600, "3600 seconds in the future"), (7200, "7200 seconds ago")],
)
def test_clocks_that_differ_by_more_are_named_with_their_difference(ahead: float, said: str) -> None:
    with pytest.raises(ClocksDiffer) as caught:
        at(ahead).vouched(at(0).vouch(WHO, *CALLED).partition(" ")[2], *CALLED)
    assert said in str(caught.value)
    assert "120 seconds" in str(caught.value.hint)


@pytest.mark.parametrize(
    "word",
    [
        "",
        "nonsense",
        "a.b.c",
        token(CLAIMS),
        token({"exp": int(time.time()) - 3600}),
        token(CLAIMS | {"exp": int(time.time()) - 3600}, "t" * 40),
        token(CLAIMS | {"exp": "soon"}),
        token(CLAIMS | {"exp": int(time.time()) + 60}, "t" * 40),
        token(CLAIMS | {"exp": int(time.time()) + 60}, algorithm="HS512"),
        token(CLAIMS | {"exp": int(time.time()) + 60}, algorithm="RS256"),
        token({"exp": int(time.time()) + 60}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "role": "owner"}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "campaign": "7"}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "campaign": None}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "sub": 1}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "aud": "product"}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "aud": ["content", "product"]}),
        token(CLAIMS | {"exp": int(time.time()) + 60, "method": "content_list"}),
        token({name: CLAIMS[name] for name in ("sub", "campaign", "role", "aud")} | {"exp": int(time.time()) + 60}),
        # The algorithm "none", without a signature.
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiY2FtcGFpZ24iOjAsInJvbGUiOiJhZG1pbiIsImV4cCI6OTk5OTk5OTk5OX0.",
        "é.ü.\x00",
    ],
)
def test_a_word_that_no_peer_gave_is_nobodys(word: str) -> None:
    with pytest.raises(Unauthenticated):
        peers(peer_secret=SECRET).vouched(word, *CALLED)


def test_a_changed_word_is_nobodys() -> None:
    known = peers(peer_secret=SECRET)
    head, claims, signature = known.vouch(WHO, *CALLED).partition(" ")[2].split(".")
    other = known.vouch(Principal("key:test", 0, Role.ADMIN), *CALLED).partition(" ")[2].split(".")
    for word in (f"{head}.{other[1]}.{signature}", f"{head}.{claims}.{other[2]}", f"{head}.{claims}."):
        with pytest.raises(Unauthenticated):
            known.vouched(word, *CALLED)
