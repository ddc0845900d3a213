"""A cache of compiled programs on disk, so that a second start does not compile again.

A program works only on the processor and with the JAX that compiled it, so the folder's name contains both. JAX
verifies a program that it reads, and compiles again if it cannot use it.
"""

import gc
import hashlib
import importlib
import os
import sys
import warnings
from pathlib import Path
from typing import Any

from jaxquard.errors import JaxquardError
from jaxquard.files import cache_folder
from jaxquard.systems import processor


def folder() -> Path:
    """The cache folder for this machine's programs."""
    from importlib.metadata import version  # not at the top: it would slow --help down by a tenth

    name, features = processor()
    fingerprint = hashlib.sha256(" ".join([name, *features]).encode()).hexdigest()[:12]
    return cache_folder() / "programs" / f"jaxlib-{version('jaxlib')}-{fingerprint}"


def import_jax() -> None:
    """Import JAX for a command, without its tuning hints, and leave its objects out of garbage collections.

    Otherwise Python would look through all of them several times during a start, which takes 0.2 seconds.
    XLA of JAX 0.10 reports tuning hints (+prefer-no-gather) as missing processor features when it loads a program. "1"
    is JAX's default, which a parent process may have set; any other value is the user's choice.
    """
    if "jax" in sys.modules:
        return
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    gc.disable()
    try:
        importlib.import_module("jax")
        gc.freeze()
    finally:
        gc.enable()


def keep_compiled_programs() -> None:
    """Turn the cache on, unless the user has set one or turned it off.

    If the folder cannot be written, there is no cache, and everything is compiled at each start.
    """
    import_jax()
    import jax

    warnings.filterwarnings("ignore", message=".*persistent compilation cache", category=UserWarning)
    settings: Any = jax.config
    if settings.jax_compilation_cache_dir or not settings.jax_enable_compilation_cache:
        return
    try:
        place = folder()
        place.mkdir(parents=True, exist_ok=True)
    except (OSError, JaxquardError):
        return
    jax.config.update("jax_compilation_cache_dir", str(place))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.05)


def compile_ahead(*calls: tuple[Any, ...]) -> None:
    """Compile jitted functions, each for its arguments or their shapes. The later calls then find their programs.

    In a thread beside other work: XLA does not hold Python's lock. One after another: all at once takes as long, and
    130 MB more.
    """
    for function, *arguments in calls:
        function.lower(*arguments).compile()
