"""A network as one safetensors file, which `load_models` reads: docs/EXPORT.md describes its arrays."""

from jaxquard.runs.models import file_content as content

__all__ = ["content"]
