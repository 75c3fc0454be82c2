"""An option that a method does not have is answered with the one that may be meant, or with those that it has."""

import pytest
from click.testing import CliRunner

from ovasabi.cli.call.command import call


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["contents", "create", "--titel", "x"], "contents create has no option --titel. Did you mean --title?"),
        (["contents", "get", "17", "--state", "x"], "contents get has no option --state. It has --as-of, --campaign"),
        (
            ["contents", "publish", "17", "--versoin", "1"],
            "contents publish has no option --versoin. It has --campaign",
        ),
        (["campaigns", "get", "17", "--as-off", "x"], "campaigns get has no option --as-off. Did you mean --as-of?"),
    ],
)
def test_an_option_that_a_method_does_not_have_is_answered_with_those_that_it_has(
    arguments: list[str], told: str
) -> None:
    result = CliRunner().invoke(call, arguments)
    assert result.exit_code == 2
    assert told in " ".join(result.output.split())
    assert "No such option" not in result.output
