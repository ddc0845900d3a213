"""The command line of `mlp_fashion_mnist.py`: options from a function's arguments, errors in one line."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import cyclopts

from jaxquard import compilation
from jaxquard.cli.options import from_text
from jaxquard.config import Config
from jaxquard.errors import JaxquardError, UsageError
from jaxquard.streams import make_usable, say

compilation.import_jax()


def run_script(main: Callable[..., None]) -> NoReturn:
    """Call `main` with the options of this process and exit. Arguments named like settings are checked as settings."""
    make_usable()
    compilation.keep_compiled_programs()
    from jax.errors import JaxRuntimeError

    from jaxquard.training.device import check_jax

    @functools.wraps(main)
    def checked(**options: Any) -> None:
        Config(**{name: value for name, value in options.items() if name in Config.__dataclass_fields__})
        check_jax()
        main(**options)

    parameter = cyclopts.Parameter(consume_multiple=True, negative=(), converter=from_text)
    app = cyclopts.App(default_parameter=parameter, version_flags=())
    app.default(checked)
    try:
        app(exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # interrupted, or the reader of the output has gone
        os._exit(130)
    except (JaxquardError, cyclopts.CycloptsError) as error:
        say(f"{Path(sys.argv[0]).stem}: {error}")
        sys.exit(getattr(error, "exit_code", UsageError.exit_code))
    except (OSError, MemoryError, JaxRuntimeError) as error:  # such as a full disk, or too little memory
        said = getattr(error, "strerror", None) or str(error).partition("\n")[0] or "too little memory"
        parts = (Path(sys.argv[0]).stem, getattr(error, "filename", None), said)
        say(": ".join(str(part) for part in parts if part))
        os._exit(1)  # at a usual exit Python would write what is left to the full disk again
    sys.exit(0)
