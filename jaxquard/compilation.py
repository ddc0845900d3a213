"""Compiled programs kept on disk, so that a second start need not compile again.

A program is only good for the processor and the JAX that made it, so both are in the folder's name. JAX checks what it
reads back, and compiles afresh what it cannot use.
"""

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

from jaxquard.errors import JaxquardError
from jaxquard.files import cache_folder
from jaxquard.systems import processor


def folder() -> Path:
    """Where this machine's programs are kept."""
    from importlib.metadata import version  # takes a tenth of the time in which --help must be there

    name, features = processor()
    fingerprint = hashlib.sha256(" ".join([name, *features]).encode()).hexdigest()[:12]
    return cache_folder() / "programs" / f"jaxlib-{version('jaxlib')}-{fingerprint}"


def keep_compiled_programs() -> None:
    """Turn the cache on, unless the user has set one or turned it off. Must come before JAX is imported.

    A folder that cannot be written is no reason to stop: everything is then compiled each time, as without a cache.
    """
    # On loading, XLA of JAX 0.10 reports its own tuning hints (+prefer-no-gather) as features the processor lacks.
    # "1" is JAX's own default, which a parent process may have left behind; any other value is somebody's choice.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
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
