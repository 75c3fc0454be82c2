"""What is sealed is opened under the same key or a later list with it, and digests cannot be made without the key."""

import hashlib

import pytest

from ovasabi.database.secret_keys import SEALED, SecretKeys, SecretKeyUnknown

OLD, NEW = "old-" + "o" * 40, "new-" + "n" * 40


def test_what_is_sealed_shows_nothing_and_is_opened_also_after_the_key_was_replaced() -> None:
    sealed = SecretKeys([OLD]).seal("Hunter2-hunter2")
    assert sealed.startswith(SEALED)
    assert "unter2" not in sealed
    assert sealed != SecretKeys([OLD]).seal("Hunter2-hunter2")
    assert SecretKeys([OLD]).opened(sealed) == SecretKeys([NEW, OLD]).opened(sealed) == "Hunter2-hunter2"
    for altered in (sealed[:-4] + "AAAA", SEALED, SEALED + "é"):
        with pytest.raises(SecretKeyUnknown):
            SecretKeys([OLD]).opened(altered)
    with pytest.raises(SecretKeyUnknown):
        SecretKeys([NEW]).opened(sealed)


def test_what_an_earlier_version_stored_is_opened_as_it_is() -> None:
    assert SecretKeys([NEW]).opened('{"data": "x"}') == '{"data": "x"}'


def test_a_digest_is_compared_under_the_key_that_it_was_made_with() -> None:
    stored = SecretKeys([OLD]).digest(b"request")
    assert hashlib.sha256(b"request").digest()[:8] not in stored
    for keys in (SecretKeys([OLD]), SecretKeys([NEW, OLD])):
        assert keys.may_match(stored, b"request")
        assert not keys.may_match(stored, b"another")
    assert SecretKeys([NEW]).may_match(stored, b"another"), "under a key that is gone, nobody can say"
    assert SecretKeys([NEW, OLD]).digests(b"request") == [SecretKeys([NEW]).digest(b"request"), stored]


def test_keys_are_not_shown() -> None:
    assert OLD not in repr(SecretKeys([OLD]))
