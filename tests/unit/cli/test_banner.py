"""The operator key is shown to who sits at a terminal, and to no log."""

import io
import os
import sys
from pathlib import Path

import pytest

from ovasabi.cli.home import Home
from ovasabi.cli.up import _banner
from ovasabi.settings import Settings

KEY = "ovk_abcdefghijkl_" + "s" * 43


def banner(home: Path, key: str | None) -> str:
    """What `up` prints when it is ready."""
    return _banner(Settings(home=home), Home(home), "python", key)


def test_a_terminal_shows_the_new_key_and_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    master, slave = os.openpty()
    with os.fdopen(master), os.fdopen(slave, "w") as terminal, monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        assert f"stored in {tmp_path / 'operator.key'}:\n  {KEY}\n" in banner(tmp_path, KEY)
        assert "ovk_" not in banner(tmp_path, None)


def test_a_log_has_only_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", io.StringIO())
        printed = banner(tmp_path, KEY)
    assert "ovk_" not in printed
    assert f"stored in {tmp_path / 'operator.key'}.\n" in printed
