"""Options that verbs share, and the printing of JSON documents."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import cyclopts
from cyclopts import Parameter

from jaxquard.arguments import checked_number, number
from jaxquard.config import Config
from jaxquard.errors import UsageError
from jaxquard.files import expanded
from jaxquard.naming import none_of
from jaxquard.streams import say
from jaxquard.strict_json import plain


def from_text(kind: Any, tokens: Any) -> Any:
    """The value of an option of this type from words of the command line.

    Unlike Cyclopts' own rule, this does not round numbers, expands ~ in paths, accepts the word none, and has its own
    error messages.
    """
    choices = next((get_args(one) for one in (kind, *get_args(kind)) if get_origin(one) is Literal), ())
    for token in tokens if choices else ():
        if int in get_args(kind) and token.value not in choices:
            return cyclopts.convert(int, tokens, converter=_from_word)
        if token.value not in choices:
            raise cyclopts.CoercionError(msg=none_of(token.value, choices), token=token)
    return cyclopts.convert(kind, tokens, converter=_from_word)


def _from_word(kind: type, word: str) -> Any:
    if kind is Path:
        return _from_path(word)
    if kind not in (int, float, type(None)):
        return cyclopts.convert(kind, [word])
    try:
        if kind in (int, float):
            return number(word) if kind is float else checked_number("", int, number(word))
    except (ValueError, UsageError):
        pass
    words = {int: "must be a whole number", float: "must be a number"}.get(kind)
    raise cyclopts.CoercionError(msg=words and f"{words}, not {word[:60]!r}")


def _from_path(word: str) -> Path:
    if not word:
        raise cyclopts.CoercionError(msg="the path is empty")
    try:
        return Path(expanded(word))
    except UsageError as error:
        raise cyclopts.CoercionError(msg=str(error)) from None


@dataclasses.dataclass(kw_only=True)
class Common:
    """Options of every verb."""

    json: Annotated[bool, Parameter(negative="", help="One JSON document on stdout.")] = False
    quiet: Annotated[bool, Parameter(negative="", help="Only errors on stderr.")] = False
    runs: Annotated[Path | None, Parameter(help="The folder of runs (default: $JAXQUARD_RUNS, else ./runs).")] = None

    def __post_init__(self) -> None:
        if self.runs is not None:
            from jaxquard.runs.directory import runs_directory

            runs_directory(self.runs)  # an error if it is not a folder


@dataclasses.dataclass(kw_only=True)
class Source:
    """Options for the place of the data."""

    data_dir: Annotated[
        Path | None, Parameter(help="The folder of data sets (default: $JAXQUARD_DATA or a cache).")
    ] = None
    offline: Annotated[bool, Parameter(negative="", help="Never use the network.")] = False


def _settings_class(*names: str) -> type:
    """A dataclass with these settings of Config as optional flags; None stands for the recipe's value."""
    fields: list[Any] = []
    for field in (field for field in dataclasses.fields(Config) if field.name in names):
        parameter = Parameter(
            help=field.metadata["help"] + _default(field.default),
            group=field.metadata["group"],
            consume_multiple=True,
            negative_iterable="no-" if field.name == "hidden" else (),  # --no-hidden: softmax regression
        )
        kind = float | str if field.name == "validation" else _types[field.name]  # Config checks the value
        fields.append((field.name, Annotated[kind | None, parameter], None))
    return dataclasses.make_dataclass("Settings", fields, kw_only=True, namespace={"__module__": __name__})


def _default(value: Any) -> str:
    """A setting's default, for its help."""
    if value is None or isinstance(value, bool):
        return ""
    return f" [default: {' '.join(map(str, value)) if isinstance(value, tuple) else value}]"


_types = Config.__annotations__
Settings = _settings_class(*(_types.keys() - {"recipe", "sweep"}))
Reading = _settings_class("image_size", "color")
SkipDamaged = Annotated[bool, Parameter(negative="", group="Data", help="Leave out pictures that cannot be read.")]
COMMON, SOURCE, SETTINGS, READING = Common(), Source(), Settings(), Reading()
Shared = Annotated[Common, Parameter(name="*", group="Every verb")]
Sourced = Annotated[Source, Parameter(name="*", group="Data")]


def data_options(source: Source, common: Common) -> dict[str, Any]:
    """The options of `data.load`: the place of the data and the reports."""
    from jaxquard.cli.display import fetching

    silent = {"report": lambda line: None, "progress": None}
    spoken = {"report": say, "progress": fetching()}
    return {"data_dir": source.data_dir, "offline": source.offline or None} | (silent if common.quiet else spoken)


def where_data_are(source: Source) -> list[str]:
    """The options with which a later command finds the same data from any folder."""
    return ["--data-dir", os.path.abspath(source.data_dir)] if source.data_dir else []


def print_json(document: Any) -> None:
    """Print a JSON document on one line. A Figure of one network becomes a number here."""
    print(json.dumps(plain(document), allow_nan=False))
