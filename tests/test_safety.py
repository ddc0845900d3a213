"""The package never runs code from its input: a search in the syntax tree of every file."""

import ast
from pathlib import Path

import pytest

import jaxquard

PACKAGE = Path(jaxquard.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml", "tarfile"}
MODULES |= {"builtins", "runpy", "code", "codeop", "imp"}
NAMES = {"eval", "exec", "compile", "__import__", "__builtins__"}
METHODS = {"load_pickle", "unpack_archive", "extractall", "extract", "system", "popen", "getoutput", "getstatusoutput"}
METHODS |= {"exec_module", "load_module", "run_path", "run_module"} | NAMES - {
    "compile"
}  # the compile methods of re and jit are harmless
ALLOWED = {
    ("data/cifar.py", "tarfile"),  # reads members into memory
    ("lessons/bench.py", "exec_module"),  # the user's own code, in `lesson backprop --mine`
}


def dangers(tree: ast.AST) -> set[str]:
    """The names in a syntax tree that can run code or unpack an archive."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found |= {alias.name.split(".")[0] for alias in names} & MODULES
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module.split(".")[0]} & MODULES | {alias.name for alias in names} & METHODS
            case ast.Name(id=name, ctx=ast.Load()):
                found |= {name} & NAMES
            case ast.Attribute(attr=name):
                found |= {name} & METHODS
            case ast.keyword(arg="allow_pickle" | "shell" as name, value=value):
                if not (isinstance(value, ast.Constant) and value.value is False):
                    found.add(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_runs_what_it_reads(path):
    name = path.relative_to(PACKAGE).as_posix()
    found = dangers(ast.parse(path.read_text(encoding="utf-8")))
    assert {(name, danger) for danger in found} == {one for one in ALLOWED if one[0] == name}


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
        "from os import system",
        "run = os.popen",
        "builtins.eval('1')",
        "import builtins",
        "evaluate = eval",
        "__builtins__['eval']('1')",
        "runpy.run_path(path)",
        "from runpy import run_path",
        "subprocess.getoutput(text)",
        "spec.loader.exec_module(module)",
    ],
)
def test_the_search_finds_what_it_looks_for(text):
    assert dangers(ast.parse(text))


def test_the_search_ignores_harmless_names():
    assert not dangers(ast.parse("re.compile('x'); np.load(path, allow_pickle=False); subprocess.run(['ls'])"))
    assert not dangers(ast.parse("compile: float = seconds.compile"))


def test_arrays_are_never_loaded_by_numpy_itself():
    """np.load allocates the memory that a header declares; our readers check the size of the file first."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr == "load" and isinstance(node.value, ast.Name):
                assert node.value.id not in ("np", "numpy"), path
