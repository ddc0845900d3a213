"""Checks before any computation that JAX has a device and settings that Jaxquard can use."""

import os
from typing import Any

import jax

from jaxquard.errors import JaxquardError, UsageError

REFUSED = {  # setting of JAX -> the values that Jaxquard refuses, and why
    "jax_enable_x64": ((True,), "Jaxquard computes in single precision"),
    "jax_transfer_guard_host_to_device": (("disallow", "disallow_explicit"), "Jaxquard moves data to the device"),
    "jax_numpy_rank_promotion": (("raise",), "Jaxquard adds a vector to every row of a matrix"),
}


def check_jax() -> None:
    """JaxquardError if JAX has no device; UsageError if one of its settings is in REFUSED."""
    settings: Any = jax.config
    for name, (values, why) in REFUSED.items():
        if (value := getattr(settings, name)) in values:
            raise UsageError(f"JAX is set to {name}={value}, but {why}: turn that off")
    try:
        jax.devices()
    except Exception as error:  # an AssertionError for a JAX without CUDA, a RuntimeError for an unknown device
        asked = {"JAX_PLATFORMS": settings.jax_platforms, "JAX_PLATFORM_NAME": os.environ.get("JAX_PLATFORM_NAME")}
        remedy = "jaxquard doctor may find the cause"
        for name, value in asked.items():
            if value:
                remedy = f"unset {name}, which asks for {value!r}, or install JAX for it"
        raise JaxquardError(f"JAX finds no device to compute on: {remedy}") from error
