"""Nothing in the package runs code that it was given: the syntax tree of every file says so."""

import ast
from pathlib import Path

import pytest

import jaxquard

PACKAGE = Path(jaxquard.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "tarfile"}
CALLS = {"eval", "exec", "compile", "__import__"}
METHODS = {"load_pickle", "unpack_archive", "extractall", "extract", "system", "popen"}
ALLOWED = {
    ("lessons/backprop.py", "exec"),  # a learner's own code, in `lesson backprop --mine`, because they asked
    ("lessons/backprop.py", "compile"),
}


def dangers(tree: ast.AST) -> set[str]:
    """The names of what can run code, or unpack an archive, in a syntax tree."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.split(".")[0] for alias in names} & MODULES
            case ast.ImportFrom(module=str(module)):
                found |= {module.split(".")[0]} & MODULES
            case ast.Call(func=ast.Name(id=name)):
                found |= {name} & CALLS
            case ast.Call(func=ast.Attribute(attr=name)):
                found |= {name} & METHODS
            case ast.keyword(arg="allow_pickle" | "shell" as name, value=value):
                if not (isinstance(value, ast.Constant) and value.value is False):
                    found.add(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_runs_what_it_reads(path):
    name = path.relative_to(PACKAGE).as_posix()
    found = dangers(ast.parse(path.read_text(encoding="utf-8")))
    assert {(name, danger) for danger in found} <= ALLOWED


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from pickle import loads",
        "import yaml.reader",
        "eval('1')",
        "exec(text)",
        "np.load(path, allow_pickle=True)",
        "np.load(path, allow_pickle=flag)",
        "subprocess.run(text, shell=True)",
        "archive.extractall()",
        "os.system('x')",
    ],
)
def test_the_search_finds_what_it_looks_for(text):
    assert dangers(ast.parse(text))


def test_the_search_leaves_the_harmless_alone():
    assert not dangers(ast.parse("re.compile('x'); np.load(path, allow_pickle=False); subprocess.run(['ls'])"))


def test_arrays_are_never_loaded_by_numpy_itself():
    """np.load would ask for as much memory as a header says; our readers look at the size of the file first."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "load" and isinstance(node.value, ast.Name):
                assert node.value.id not in ("np", "numpy"), path
