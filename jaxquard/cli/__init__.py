"""The command line: verbs over `jaxquard.api`, with results on stdout, everything else on stderr, errors in one line.

Modules that need JAX are imported where they are used, so that `--help` is fast.
"""

import os
import re
import signal
import sys
from collections.abc import Iterable

import cyclopts
from cyclopts import App, Argument, Parameter
from cyclopts.exceptions import UnusedCliTokensError

from jaxquard import distributed
from jaxquard.cli.lessons import lesson, list_lessons
from jaxquard.cli.options import from_text
from jaxquard.cli.training import launch, train
from jaxquard.cli.verbs import compare, data, doctor, evaluate, export, list_recipes, list_runs, predict, studio
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.naming import nearest
from jaxquard.runs.interrupts import SIGNALS, leave
from jaxquard.streams import make_usable, say, silence


def _version() -> str:
    from importlib.metadata import version

    return version("jaxquard")


app = App(
    name="jaxquard",
    help="Train real networks on small images in seconds, look inside, and put them to the test.",
    version=_version,  # a function, because it is slow
    help_format="plaintext",  # Markdown is slow to parse
    default_parameter=Parameter(
        converter=from_text,
        negative_iterable=(),
        show_default=lambda value: value if value not in (False, ()) else None,
    ),
    result_action="return_value",
)
app.command(train)
app.command(launch)
app.command(evaluate)
app.command(predict)
app.command(list_runs, name="runs")
app.command(compare)
app.command(export)
app.command(list_recipes, name="recipes")
app.command(data)
app.command(studio)
app.command(doctor)
app.command(list_lessons, name="lessons")
app.command(lesson)


def main(arguments: list[str] | None = None) -> None:
    """Run a verb; every error becomes one line on stderr and its exit code."""
    make_usable()
    if os.environ.get("COLUMNS", "1").strip("0") == "":
        del os.environ["COLUMNS"]  # a width of 0 means unknown
    for number in SIGNALS:
        signal.signal(number, leave)
    code, line = _outcome(arguments)
    if line:
        say(f"jaxquard: {line}")
    if distributed.joined:
        distributed.joined.leave(code, line)
    if code:
        sys.exit(code)


def _outcome(arguments: list[str] | None) -> tuple[int, str]:
    """Run a verb: its exit code, and the line for an error."""
    try:
        app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.UnknownOptionError as error:
        return UsageError.exit_code, _unknown_option(error)
    except cyclopts.MissingArgumentError as error:
        name = error.keyword or (error.argument.name if error.argument else "")
        verb = " ".join(["jaxquard", *(error.command_chain or ()), "--help"])
        return UsageError.exit_code, f"{name} is missing, or its value; see {verb}"
    except UnusedCliTokensError as error:
        return UsageError.exit_code, f"not expected: {' '.join(error.unused_tokens or ())}"
    except cyclopts.CycloptsError as error:
        return UsageError.exit_code, str(error)
    except UsageError as error:
        return error.exit_code, _with_options(str(error), sys.argv[1:] if arguments is None else arguments)
    except JaxquardError as error:
        return error.exit_code, str(error)
    except BrokenPipeError:  # the reader of the output has gone
        silence(sys.stdout)
        return 1, ""
    except OSError as error:
        place = "the current folder" if isinstance(error, FileNotFoundError) else "system"  # os.getcwd names no file
        return 1, f"{error.filename or place}: {error.strerror or error}"
    except Exception as error:
        if os.environ.get("JAXQUARD_DEBUG"):
            raise
        line = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])[:300]
        if distributed.joined:  # perhaps because another rank has died
            distributed.joined.leave(1, line, said=False)
        return 1, f"{line} (jaxquard doctor may find the cause; JAXQUARD_DEBUG=1 shows the traceback)"
    return 0, ""


def _unknown_option(error: cyclopts.UnknownOptionError) -> str:
    """The error for an unknown option, with the option that was probably meant."""
    given = (error.token.keyword or error.token.value).partition("=")[0]
    options = _options(error.argument_collection)
    meant = nearest(given.lstrip("-").replace("-", "_"), options)
    return f"unknown option {given}" + (f"; did you mean {options[meant]}?" if meant else "")


def _with_options(message: str, words: list[str]) -> str:
    """A message that begins with a setting, with its option instead: --batch-size for batch_size. A setting that was
    given with --sweep keeps its name.
    """
    options = _options(app.parse_commands(words)[1][-1].assemble_argument_collection())
    setting, _, said = message.partition(":")
    if setting not in options or any(word.startswith(f"{setting}=") for word in words):
        return message
    others = re.compile(r"(?<![\w'/-])[a-z0-9]+(_[a-z0-9]+)+(?![\w'/=])")
    return f"{options[setting]}:{others.sub(lambda found: options.get(found[0], found[0]), said)}"


def _options(arguments: Iterable[Argument]) -> dict[str, str]:
    """The options of a verb by the names of their settings."""
    names = (name for argument in arguments for name in argument.names)
    return {name.removeprefix("--").replace("-", "_"): name for name in names if name.startswith("--")}
