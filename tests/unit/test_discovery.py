"""Folders of services that would not be found, or only in part, stop the program in one sentence that says where."""

from pathlib import Path

import pytest

from tests.unit.cli.test_declarations import ENTITY, SERVICE, run

INIT = '"""Gadgets."""\n'
HOME = "ovasabi.services.sample_gadget"
RIGHT = {
    "sample_gadget/__init__.py": INIT,
    "sample_gadget/entity.py": ENTITY.replace("{field}", ""),
    "sample_gadget/service.py": SERVICE.format(home=HOME, member=""),
}
BOX = {"sample_box/__init__.py": INIT}
CASES = {
    "no __init__.py": ({"sample_gadget/__init__.py": None}, f"{HOME} has no __init__.py."),
    "other file names": (
        BOX | {"sample_box/rules.py": ""},
        "ovasabi.services.sample_box has neither entity.py nor service.py, so nothing in it would be found.",
    ),
    "nothing declared": (BOX | {"sample_box/service.py": INIT}, "ovasabi.services.sample_box declares no service."),
    "a module": ({"sample_box.py": INIT}, "ovasabi.services.sample_box is a module."),
    "a dot in the name": (
        {"sample.box/__init__.py": INIT, "sample.box/service.py": INIT},
        "The service is named 'sample.box', which is not a valid name.",
    ),
    "no service": ({"sample_gadget/service.py": None}, f"The entity sample_gadget in {HOME}.entity has no service."),
    "an inner folder": (
        {
            "sample_gadget/sample_inner/__init__.py": INIT,
            "sample_gadget/sample_inner/model.py": RIGHT["sample_gadget/entity.py"],
            "sample_gadget/entity.py": f"from {HOME}.sample_inner.model import SampleGadget\n",
        },
        f"SampleGadget is declared in {HOME}.sample_inner.model, a folder inside the service's folder.",
    ),
    "an exit": (
        {"sample_gadget/service.py": "import sys\n\nsys.exit(5)\n"},
        f"{HOME}.service cannot be imported: SystemExit: 5 (service.py, line 3).",
    ),
    "an error of several lines": (
        {"sample_gadget/service.py": "raise RuntimeError('one\\ntwo.')\n"},
        f"{HOME}.service cannot be imported: RuntimeError: one two (service.py, line 1).",
    ),
    "an error without text": (
        {"sample_gadget/service.py": "\nraise RuntimeError\n"},
        f"{HOME}.service cannot be imported: RuntimeError (service.py, line 2).",
    ),
    "a circle": (
        BOX
        | {
            "sample_box/service.py": f"from {HOME}.service import SampleGadgets\n",
            "sample_gadget/service.py": "from ovasabi.services.sample_box.service import SampleBoxes\n",
        },
        "ovasabi.services.sample_box.service cannot be imported: ImportError: cannot import name 'SampleBoxes'",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_would_not_be_found_is_refused(tmp_path: Path, case: str) -> None:
    changes, problem = CASES[case]
    write(tmp_path, RIGHT | changes)
    answer = run(tmp_path, "status")
    assert answer.stderr.startswith(f"error: {problem}"), answer.stderr
    assert len(answer.stderr.splitlines()) == 2
    assert answer.stderr.splitlines()[1].startswith("hint: ")
    assert (answer.returncode, answer.stdout) == (2, "")


def test_what_is_left_of_a_service_that_was_removed_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, {"sample_box/__pycache__/service.cpython-311.pyc": "", ".hidden/notes.txt": "", "README.md": ""})
    answer = run(tmp_path, "status")
    assert (answer.returncode, answer.stderr) == (4, "")


def write(folder: Path, files: dict[str, str | None]) -> None:
    """Writes files by path; those without a text are left out."""
    for name, text in files.items():
        if text is not None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
