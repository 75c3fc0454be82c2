"""The secret key comes from a setting, or from a file of the home that only its owner can read."""

import os
import stat
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from ovasabi.errors import OvasabiError
from ovasabi.security.secret_key_file import secret_keys
from ovasabi.settings import Settings

KEYS = ["a" * 32, "b" * 43]


def test_without_a_setting_a_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "home")
    sealed = secret_keys(settings).seal("text")
    path = tmp_path / "home" / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret_keys(settings).opened(sealed) == "text"
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]


def test_all_that_make_the_key_at_once_have_the_same(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with ThreadPool(8) as pool:
        made = pool.map(lambda _: secret_keys(settings).digest(b""), range(32))
    assert len(set(made)) == 1


@pytest.mark.parametrize("text", [" ".join(KEYS), ",".join(KEYS), f"{KEYS[0]}, {KEYS[1]}\n"])
def test_a_setting_has_the_current_key_and_earlier_ones(tmp_path: Path, text: str) -> None:
    keys = secret_keys(Settings(home=tmp_path, secret_key=text))
    assert len(keys.digests(b"")) == 2
    (tmp_path / "secret.key").write_text("\n".join(KEYS))
    assert secret_keys(Settings(home=tmp_path)).digests(b"") == keys.digests(b"")
    assert keys.digest(b"") == secret_keys(Settings(home=tmp_path, secret_key=KEYS[0])).digest(b"")


@pytest.mark.parametrize("text", ["qqq", f"{KEYS[0]} qqq", " "])
def test_a_short_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    (tmp_path / "secret.key").write_text(text)
    given = [Settings(home=tmp_path)] + ([Settings(home=tmp_path, secret_key=text)] if text.strip() else [])
    for settings in given:
        with pytest.raises(OvasabiError, match="a key with fewer than 32 characters") as refused:
            secret_keys(settings)
        assert "qqq" not in f"{refused.value} {refused.value.hint}"


def test_a_home_in_which_nothing_can_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    with pytest.raises(OvasabiError, match=r"secret.key can be neither read nor created") as refused:
        secret_keys(Settings(home=tmp_path / "home"))
    assert "OVASABI_SECRET_KEY" in str(refused.value.hint)
    assert os.listdir(tmp_path) == ["home"]
