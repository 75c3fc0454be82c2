"""What holds for every unit test: the types that it declares for itself have names that no service has."""

import re
from collections.abc import Iterator

import pytest

from ovasabi.kernel.declare import entity

_OWN = re.compile(r"sample\w*|t\d+|tried|everything|fielded|acting|asked")
"""Names of samples, and those of the trial of names, which looks at what is declared already."""
_TAKEN = {"page", "role", "event", "user", "contents", "contentdraft", "contentstate", "usermetadata"}
"""Names that a test declares because they are taken, or because they look as if they were."""


@pytest.fixture(autouse=True)
def sample_names() -> Iterator[None]:
    """Refuses a test that declares a type by a name that a new service may have."""
    before = len(entity._by_class)
    yield
    for of in list(entity._by_class.values())[before:]:
        is_own = _OWN.fullmatch(of.name) or of.name in _TAKEN
        assert is_own, f"{of.name} may be the name of a service: name the samples of a test sample…"
