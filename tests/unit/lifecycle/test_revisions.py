"""The graph of migrations: ids that do not collide, several ends, what a database lacks, and files that do not fit."""

import re
from pathlib import Path

import pytest

from ovasabi.lifecycle.revisions import DatabaseAhead, HistoryInvalid, history, new_id, renumber, versions

OURS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")


def written(folder: Path, **follows: object) -> Path:
    """A folder of migrations: `_2_b="_1_a"` is a file 2_b.py with the id 2 that follows 1_a."""
    for name, parents in follows.items():
        text = (
            f'"""One."""\nrevision: str = "{name}"\ndown_revision = {parents!r}\n\n\ndef upgrade() -> None:\n    pass\n'
        )
        (folder / f"{name}_step.py").write_text(text)
    return folder


def test_our_history_keeps_the_ids_that_databases_are_at_and_has_one_end() -> None:
    assert tuple(history().revisions)[: len(OURS)] == OURS
    assert history().pending(()) == list(history().revisions)
    assert history().pending(history().heads) == []


def test_new_ids_differ_sort_behind_all_earlier_ones_and_fit_into_the_version_table() -> None:
    ids = [new_id() for _ in range(50)]
    assert len(set(ids)) > 45, "of those of one second, hardly any two are the same"
    assert all(re.fullmatch(r"20\d{12}_[0-9a-f]{4}", id) and len(id) <= 32 for id in ids)
    assert max(OURS) < min(ids)
    assert [id[:14] for id in ids] == sorted(id[:14] for id in ids)


def test_two_branches_end_in_two_heads_and_each_database_lacks_what_the_other_branch_added(tmp_path: Path) -> None:
    both = history(written(tmp_path, a=None, b="a", c="a", d="c"))
    assert both.heads == ("b", "d")
    assert both.pending(()) == ["a", "b", "c", "d"]
    assert both.pending(["b"]) == ["c", "d"]
    assert both.pending(["c"]) == ["b", "d"]
    assert both.pending(["b", "d"]) == []


def test_the_next_migration_joins_the_branches_and_contains_both(tmp_path: Path) -> None:
    joined = history(written(tmp_path, a=None, b="a", c="a", d=("b", "c"), e=["d"]))
    assert joined.heads == ("e",)
    assert joined.pending(["d"]) == ["e"]
    assert joined.pending(["b"]) == ["c", "d", "e"]


def test_a_migration_that_this_version_does_not_have_means_that_the_database_is_ahead(tmp_path: Path) -> None:
    known = history(written(tmp_path, a=None, b="a"))
    for applied in (["z"], ["b", "z"]):
        with pytest.raises(DatabaseAhead, match="is at migration z"):
            known.pending(applied)


def test_two_files_of_one_id_are_named_with_the_command_that_mends_it(tmp_path: Path) -> None:
    written(tmp_path, a=None, b="a")
    (tmp_path / "b_gift_card.py").write_text('revision = "b"\ndown_revision = "a"\n')
    with pytest.raises(HistoryInvalid) as caught:
        history(tmp_path)
    assert str(caught.value) == "Two migrations have the id b: b_gift_card.py and b_step.py."
    assert caught.value.hint == f"Give your migration a new id: ovasabi migrate --renumber {tmp_path}/<file>"


@pytest.mark.parametrize(
    ("follows", "problem"),
    [
        ({"a": "gone"}, "a_step.py follows the migration gone, which is missing."),
        ({"a": "b", "b": "a"}, "The migrations form a cycle: "),
    ],
)
def test_a_history_with_a_gap_or_a_circle_is_one_sentence(
    tmp_path: Path, follows: dict[str, object], problem: str
) -> None:
    with pytest.raises(HistoryInvalid, match=re.escape(problem)):
        history(written(tmp_path, **follows))


def test_renumbered_migrations_follow_each_other_as_before_and_no_longer_collide(tmp_path: Path) -> None:
    written(tmp_path, **{"0001": None, "0002": "0001", "0003": "0002"})
    own = [tmp_path / "0002_gift_card.py", tmp_path / "0003_voucher.py"]
    own[0].write_text('revision = "0002"\ndown_revision = "0001"\n\nNAME = "0002"\n')
    own[1].write_text("revision = '0003'\ndown_revision = ('0002',)\n")
    with pytest.raises(HistoryInvalid):
        history(tmp_path)
    cards, vouchers = sorted(renumber(own), key=lambda each: each.old)
    assert (cards.old, cards.last, vouchers.old, vouchers.last) == ("0002", False, "0003", True)
    assert cards.file.name == f"{cards.new}_gift_card.py"
    assert 'NAME = "0002"' in cards.file.read_text()
    whole = history(tmp_path)
    assert whole.heads == ("0003", vouchers.new)
    assert whole.revisions[cards.new].follows == ("0001",)
    assert whole.pending([vouchers.new]) == ["0002", "0003"]


def test_every_file_of_ours_is_named_after_its_id() -> None:
    for each in history().revisions.values():
        assert each.file.parent == versions()
        assert each.file.name.startswith(f"{each.id}_"), each.file.name
