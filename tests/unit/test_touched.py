"""Which tests a change touches: those of `make quick`."""

from pathlib import Path

from tests.touched import ROOT, changed_paths, imported, module_name, touched

FILES = sorted((ROOT / "tests").rglob("*.py"))


def test_a_changed_module_touches_the_tests_that_import_it_and_those_of_its_mirror() -> None:
    found = touched({ROOT / "src/ovasabi/kernel/batching/batcher.py"}, FILES)
    assert ROOT / "tests/unit/kernel/batching/test_batcher_turns.py" in found
    assert ROOT / "tests/integration/kernel/test_months.py" not in found


def test_a_changed_test_touches_itself_and_changed_fixtures_touch_those_who_import_them() -> None:
    assert touched({ROOT / "tests/unit/test_settings.py"}, FILES) == {ROOT / "tests/unit/test_settings.py"}
    found = touched({ROOT / "tests/integration/kernel/fixtures.py"}, FILES)
    assert ROOT / "tests/integration/kernel/test_months.py" in found
    assert ROOT / "tests/unit/test_settings.py" not in found


def test_names_and_imports_are_read_from_the_files(tmp_path: Path) -> None:
    assert module_name(ROOT / "src/ovasabi/kernel/call/__init__.py") == "ovasabi.kernel.call"
    file = tmp_path / "test_it.py"
    file.write_text("import a.b\nfrom c import d\n\ndef f():\n    from e.f import g\n")
    assert imported(file) == {"a.b", "c", "c.d", "e.f", "e.f.g"}


def test_what_changed_is_below_the_root() -> None:
    assert all(path.is_relative_to(ROOT) for path in changed_paths())
