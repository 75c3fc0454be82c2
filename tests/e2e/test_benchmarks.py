"""The benchmarks, tiny and short: every system and every part of them works, whatever the rates."""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.load import NEW
from benchmarks.report import goal_of
from benchmarks.rows import pairs

ROOT = Path(__file__).parents[2]
FIELDS = {"system", "operation", "connections", "rate", "p50_ms", "p99_ms", "rss_mb", "errors", "used_us"}
HTTP = {"ovasabi", "fastapi", "litestar"}
DOORS = {"ovasabi", "ovasabi-grpc"}
WAYS = ("kernel", "service", "gateway", "http", "grpc")


def test_every_part_of_the_benchmarks_works(tmp_path: Path) -> None:
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--smoke", "--output", str(output)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    results = json.loads(output.read_text())
    assert set(results) == {"runs", "ratios", "machine", "costs"}
    assert all(set(run) == FIELDS and run["errors"] == 0 for run in results["runs"])
    assert all(run["rate"] > 0 for run in results["runs"] if run["operation"] != "rest")
    systems: dict[str, set[str]] = {}
    for run in results["runs"]:
        systems.setdefault(run["operation"], set()).add(run["system"])
        if run["connections"] > 0:
            assert 0 < run["p50_ms"] <= run["p99_ms"], run
        if run["system"] != "limit" and run["operation"] != "import":
            assert 10 < run["rss_mb"] < 1000, run
    assert systems["get"] == systems["create"] == HTTP | {"limit"}
    assert systems["list"] == systems["search"] == systems["search_new"] == systems["rest"] == HTTP
    assert systems["door_get"] == systems["door_create"] == DOORS
    for run in results["runs"]:
        if run["operation"].startswith("door_"):
            assert all(run["used_us"][user] > 0 for user in ("server", "postgresql", "load")), run
    assert systems["import"] == {"limit", "ovasabi"}
    assert systems["create_alone"] == systems["create_followed"] == {"ovasabi"}
    assert {"growth_get_3", "growth_create_6"} <= set(systems)
    assert {"create_2_vs_limit", "search_2_vs_fastapi", "import_vs_copy", "growth_get_6_vs_3"} <= set(results["ratios"])
    assert "search_new_2_vs_fastapi" in results["ratios"]
    assert "create_followed_vs_alone" in results["ratios"]
    assert {"door_get_2_vs_rest", "door_create_2_vs_rest"} <= set(results["ratios"])
    costs = results["costs"]
    assert {f"{method}_{way}_us" for method in ("nothing", "get", "create") for way in WAYS} <= set(costs)
    assert costs.pop("generated_in_1000_requests") == 0
    assert {"contract_ms", "proto_ms", "proto_kb", "openapi_ms", "openapi_kb"} <= set(costs)
    assert all(cost > 0 for cost in costs.values()), costs
    assert {"cores", "python", "postgresql", "ovasabi", "fastapi", "litestar", "wrk"} <= set(results["machine"])


def test_searches_that_are_new_are_different_ones_and_have_no_goal() -> None:
    asked = pairs(NEW)
    assert len({frozenset(pair) for pair in asked}) == NEW
    assert all(first != second for first, second in asked)
    assert goal_of("search_64_vs_fastapi") == (6.0, 6.0)
    assert goal_of("search_new_64_vs_fastapi") is None
    assert goal_of("create_64_vs_fastapi") == (10.0, 6.0)
