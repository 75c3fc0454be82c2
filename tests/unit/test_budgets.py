"""The budgets of the style: lengths of files and functions, docstrings, annotations and import cycles."""

import ast
from collections.abc import Iterator
from pathlib import Path

import ovasabi

SOURCE = Path(ovasabi.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
FILE_LINES, FUNCTION_LINES = 400, 50
GENERATED = "generated"


def lines(path: Path) -> list[str]:
    """The lines of a file; none of a generated one, which says so in its first."""
    text = path.read_text().splitlines()
    return [] if text and GENERATED in text[0].lower() else text


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """All functions of a file, also inner ones."""
    for node in ast.walk(ast.parse("\n".join(lines(path)))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def module_name(path: Path) -> str:
    """The dotted name of a module."""
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def imported(path: Path) -> set[str]:
    """The modules of ours that a module needs when it is imported: not those for type checkers, or inside functions."""
    found: set[str] = set()
    waiting: list[ast.AST] = list(ast.parse(path.read_text()).body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if name in MODULES} or {node.module}
        waiting += ast.iter_child_nodes(node)
    return found & set(MODULES)


def cycles() -> list[list[str]]:
    """Groups of modules that import each other: Tarjan's strongly connected components of more than one."""
    graph = {name: imported(path) - {name} for name, path in MODULES.items()}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph[name]:
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            place = stack.index(name)
            if len(stack) - place > 1:
                found.append(sorted(stack[place:]))
            del stack[place:]

    for name in graph:
        if name not in index:
            visit(name)
    return found


def worst(found: list[tuple[int, str]], budget: int) -> list[tuple[int, str]]:
    """Prints the longest, and answers those above the budget."""
    found.sort(reverse=True)
    for length, name in found[:5]:
        print(f"{length:5} of {budget}  {name}")
    return [entry for entry in found if entry[0] > budget]


def test_no_file_is_longer_than_400_lines() -> None:
    assert worst([(len(lines(path)), str(path.relative_to(SOURCE))) for path in FILES], FILE_LINES) == []


def test_no_package_of_the_kernel_has_more_than_12_files() -> None:
    packages = {file.parent for file in (SOURCE / "kernel").rglob("*.py")}
    sizes = {package.name: len([file for file in package.iterdir() if file.is_file()]) for package in packages}
    assert {name: size for name, size in sizes.items() if size > 12} == {}


def test_a_package_of_packages_imports_nothing() -> None:
    for package in ("kernel", "gateway", "services", "system", "codegen"):
        text = (SOURCE / package / "__init__.py").read_text()
        assert ast.parse(text).body[1:] == [], package


def test_no_function_is_longer_than_50_lines() -> None:
    found = [
        ((node.end_lineno or 0) - node.lineno + 1, f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}")
        for path in FILES
        for node in functions(path)
    ]
    assert len(found) > 300
    assert worst(found, FUNCTION_LINES) == []


def test_every_module_says_what_it_is() -> None:
    silent = [str(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_every_function_says_what_it_answers() -> None:
    silent = [
        f"{path.relative_to(SOURCE)}:{node.lineno} {node.name}"
        for path in FILES
        for node in functions(path)
        if node.returns is None and node.name != "__init_subclass__"
    ]
    assert silent == []


def test_modules_do_not_import_each_other_in_circles() -> None:
    assert "ovasabi.kernel.declare.entity" in imported(MODULES["ovasabi.kernel.store.repository"])
    assert cycles() == []


def test_the_kernel_imports_no_service_and_the_database_no_kernel() -> None:
    for name, path in MODULES.items():
        for other in imported(path):
            assert not (name.startswith("ovasabi.kernel") and other.startswith("ovasabi.services")), (name, other)
            assert not (name.startswith("ovasabi.database") and other.startswith("ovasabi.kernel")), (name, other)
