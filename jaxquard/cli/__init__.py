"""The command line: verbs over `jaxquard.api`, results to stdout, everything else to stderr, errors in one line.

Whatever needs JAX is imported where it is used, so that `--help` stays instant.
"""

import os
import signal
import sys

import cyclopts
from cyclopts import App, Parameter

from jaxquard.cli.lessons import lesson, list_lessons
from jaxquard.cli.options import from_text
from jaxquard.cli.training import train
from jaxquard.cli.verbs import compare, data, doctor, evaluate, list_recipes, list_runs, predict, studio
from jaxquard.errors import JaxquardError
from jaxquard.naming import nearest
from jaxquard.runs.interrupts import SIGNALS, leave
from jaxquard.streams import make_usable, say, silence


def _version() -> str:
    from importlib.metadata import version

    return version("jaxquard")


app = App(
    name="jaxquard",
    help="Train real networks on small images in seconds, look inside, and put them to the test.",
    version=_version,  # asked for when needed, which is slow
    help_format="plaintext",  # reading Markdown would take a fifth of the time in which --help must be there
    default_parameter=Parameter(
        converter=from_text,
        negative_iterable=(),
        show_default=lambda value: value if value not in (False, ()) else None,
    ),
    result_action="return_value",
)
app.command(train)
app.command(evaluate)
app.command(predict)
app.command(list_runs, name="runs")
app.command(compare)
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
        del os.environ["COLUMNS"]  # a width of 0 is none
    for number in SIGNALS:
        signal.signal(number, leave)
    try:
        app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except cyclopts.UnknownOptionError as error:
        _fail(_unknown_option(error), 2)
    except cyclopts.CycloptsError as error:
        _fail(str(error), 2)
    except JaxquardError as error:
        _fail(str(error), error.exit_code)
    except BrokenPipeError:  # the reader of our output has gone: nobody to tell
        silence(sys.stdout)
        sys.exit(1)
    except OSError as error:
        _fail(f"{error.filename or 'system'}: {error.strerror or error}", 1)
    except Exception as error:
        if os.environ.get("JAXQUARD_DEBUG"):
            raise
        told = ": ".join([type(error).__name__, *str(error).strip().splitlines()[:1]])[:300]
        _fail(f"{told} (jaxquard doctor may know why, JAXQUARD_DEBUG=1 shows where)", 1)


def _unknown_option(error: cyclopts.UnknownOptionError) -> str:
    """What was given, and the option that was probably meant."""
    given = (error.token.keyword or error.token.value).partition("=")[0]
    names = (name for argument in error.argument_collection for name in argument.names)
    options = {name.removeprefix("--").replace("-", "_"): name for name in names if name.startswith("--")}
    meant = nearest(given.lstrip("-").replace("-", "_"), options)
    return f"unknown option {given}" + (f"; did you mean {options[meant]}?" if meant else "")


def _fail(message: str, code: int) -> None:
    say(f"jaxquard: {message}")
    sys.exit(code)
