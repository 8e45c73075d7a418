"""Finds cycles among the imports of the Python modules of a tree.

An import counts wherever it stands: at the top, in a function or under TYPE_CHECKING.
`from . import name` is an import of module `name`, not of the package that holds it.
"""

import ast
import graphlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path


def import_root_of(file: Path, packages: set[Path]) -> Path:
    """The folder that must be on the search path to import this file: the first one that is no package."""
    folder = file.parent
    while folder in packages:
        folder = folder.parent
    return folder


def name_of(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[tuple[str, str]]:
    """For each import the absolute name of the module, and the name taken from it or nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, *filter(None, [node.module])])
            yield from ((base, alias.name) for alias in node.names)


def imports_of(text: str, module: str, *, is_package: bool, modules: Iterable[str]) -> set[str]:
    """The modules among `modules` that a module imports."""
    known = set(modules)
    found = set()
    for base, name in imported_names(ast.parse(text), module, is_package=is_package):
        submodule = f"{base}.{name}"
        if name and submodule in known:
            found.add(submodule)
        elif base in known:
            found.add(base)
    return found - {module}


def graph_of(root: Path, files: Sequence[Path]) -> dict[tuple[Path, str], set[tuple[Path, str]]]:
    """Each module, named by its import root and its name, with the modules that it imports."""
    packages = {file.parent for file in files if file.name == "__init__.py"}
    by_root: dict[Path, dict[str, Path]] = {}
    for file in files:
        import_root = import_root_of(file, packages)
        by_root.setdefault(import_root, {})[name_of(file, import_root)] = file
    graph = {}
    for import_root, modules in by_root.items():
        for module, file in modules.items():
            text = (root / file).read_text(errors="replace")
            is_package = file.name == "__init__.py"
            imported = imports_of(text, module, is_package=is_package, modules=modules)
            graph[import_root, module] = {(import_root, name) for name in imported}
    return graph


def cycle_in(root: Path, files: Sequence[Path]) -> list[str]:
    """The names of modules that import each other in a circle, the first one also last; empty if none do."""
    modules = [file for file in files if file.suffix in (".py", ".pyi")]
    try:
        graphlib.TopologicalSorter(graph_of(root, modules)).prepare()
    except graphlib.CycleError as error:
        # The sorter lists each module before the ones that need it.
        return [name for _, name in reversed(error.args[1])]
    return []
