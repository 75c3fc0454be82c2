"""Settings: where they come from, which wins, and how a wrong one is told."""

import os
from pathlib import Path

import pytest

from ovasabi.errors import SettingsError
from ovasabi.settings import load_settings, redact

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine that tests, and an empty working directory."""
    for name in [name for name in os.environ if name.upper().startswith("OVASABI_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_defaults_serve_a_new_user() -> None:
    settings = load_settings()
    assert (settings.host, settings.port, settings.database_url) == ("127.0.0.1", 8000, None)
    assert settings.home == Path.home() / ".ovasabi"


def test_the_environment_wins_over_dotenv_and_dotenv_over_secret_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    for name, value in {"port": "1", "pool_size": "1", "months_ahead": "1"}.items():
        (secrets / f"ovasabi_{name}").write_text(f"{value}\n")
    (tmp_path / ".env").write_text(f"OVASABI_SECRETS_DIR={secrets}\nOVASABI_PORT=2\nOVASABI_POOL_SIZE=2\nOTHER=x\n")
    monkeypatch.setenv("OVASABI_PORT", "3")
    settings = load_settings()
    assert (settings.port, settings.pool_size, settings.months_ahead) == (3, 2, 1)


def test_an_override_wins_and_none_is_no_override(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_PORT", "3")
    assert load_settings(port=4, host=None).port == 4
    assert load_settings(port=None).port == 3


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_DATABASE_URL", "")
    assert load_settings().database_url is None


def test_a_settings_object_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1  # type: ignore[misc]


def test_the_home_is_absolute_whatever_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_HOME", "here")
    assert load_settings().home == tmp_path / "here"


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("PORT", "99999", "less than or equal to 65535"),
        ("PORT", "abc", "valid integer"),
        ("PORT", "0", "greater than or equal to 1"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("REQUEST_TIMEOUT_SECONDS", "0.01", "greater than or equal to 0.1"),
        ("POOL_SIZE", "201", "less than or equal to 200"),
    ],
)
def test_a_malformed_setting_is_named_with_its_value(
    name: str, value: str, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"OVASABI_{name}", value)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert f"OVASABI_{name} is '{value}'" in str(refused.value)
    assert problem in str(refused.value)


@pytest.mark.parametrize("where", ["environment", "dotenv", "secret file"])
def test_an_unknown_setting_is_refused_with_the_nearest_name(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "environment":
        monkeypatch.setenv("OVASABI_DATABSE_URL", f"postgresql://u:{SECRET}@h/d")
    elif where == "dotenv":
        (tmp_path / ".env").write_text(f"OVASABI_DATABSE_URL=postgresql://u:{SECRET}@h/d\n")
    else:
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "ovasabi_databse_url").write_text(SECRET)
        monkeypatch.setenv("OVASABI_SECRETS_DIR", str(tmp_path / "secrets"))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "DATABSE_URL" in str(refused.value).upper()
    assert refused.value.hint == "Did you mean OVASABI_DATABASE_URL?"
    assert SECRET not in str(refused.value)


def test_variables_of_tests_and_benchmarks_are_not_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_TEST_POSTGRES", "/usr/lib/postgresql/17/bin")
    monkeypatch.setenv("OVASABI_BENCH_CLIENTS", "8")
    load_settings()


def test_a_missing_secrets_directory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_SECRETS_DIR", "/nonexistent/secrets")
    with pytest.raises(SettingsError, match="not a directory"):
        load_settings()


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{SECRET}@h/d",
        f"postgresql+asyncpg://u:{SECRET}@h/d",
        f"postgresql://u:{SECRET}/@h/d",
        f"postgresql://u:{SECRET}@h:port/d",
        f"u:{SECRET}@h/d",
        f"postgresql:///d?password={SECRET}",
    ],
)
def test_an_invalid_database_url_is_refused_without_its_password(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_DATABASE_URL", url)
    with pytest.raises(SettingsError, match="OVASABI_DATABASE_URL") as refused:
        load_settings()
    assert SECRET not in str(refused.value)
    assert SECRET not in str(refused.value.hint)


def test_settings_that_are_printed_hide_the_database_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVASABI_DATABASE_URL", f"postgresql://u:{SECRET}@h1:1,h2:2/d")
    assert SECRET not in repr(load_settings())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://u:{SECRET}@h:1/d", "postgresql://u@h:1/d"),
        (f"postgresql://h/d?user=u&password={SECRET}&sslmode=require", "postgresql://h/d?user=u&sslmode=require"),
        (f"postgresql://u:{SECRET}/x@h/d", "postgresql://u@h/d"),
        (f"postgresql://u:{SECRET}?x@h/d", "postgresql://u@h/d"),
        (f"postgresql://u:{SECRET}#x@h/d", "postgresql://u@h/d"),
        (f"postgresql://u:a@{SECRET}@h/d", "postgresql://u@h/d"),
        (f"postgresql://u:{SECRET}", "postgresql://u"),
        (SECRET, "***"),
        ("postgresql://postgres@/d?host=/run/x&port=5432", "postgresql://postgres@/d?host=/run/x&port=5432"),
        ("postgresql://h1:1,[::1]:2/d", "postgresql://h1:1,[::1]:2/d"),
    ],
)
def test_redact_removes_the_password_and_nothing_else(url: str, shown: str) -> None:
    assert redact(url) == shown


def test_shards_are_urls_by_number_and_a_url_can_have_commas() -> None:
    url = "postgresql://a,b/ovasabi"
    settings = load_settings(shards=f"1={url},31=postgres://c/x?options=-c%20a=1")
    assert settings.shard_urls == {1: url, 31: "postgres://c/x?options=-c%20a=1"}
    assert load_settings().shard_urls == {}
    assert "postgres" not in repr(settings)


@pytest.mark.parametrize(
    ("shards", "reason"),
    [
        ("postgresql://a/x", "numbers from 1 to 31"),
        ("0=postgresql://a/x", "numbers from 1 to 31"),
        ("32=postgresql://a/x", "numbers from 1 to 31"),
        ("1=postgresql://a/x,1=postgresql://b/x", "two servers have the same number"),
        ("1=mysql://a/x", "of server 1, the URL must begin with postgresql://"),
        ("1=postgresql://a/x,2=", "of server 2, the URL must begin with postgresql://"),
    ],
)
def test_shards_that_cannot_be_are_refused_without_showing_them(shards: str, reason: str) -> None:
    with pytest.raises(SettingsError, match=reason) as refused:
        load_settings(shards=shards)
    assert "a/x" not in str(refused.value)
