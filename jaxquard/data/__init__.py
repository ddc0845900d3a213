"""Data sets and pictures as verified arrays: formats, sources, and the split into training and validation."""

from jaxquard.data.dataset import Dataset, split
from jaxquard.data.loader import Status, load, status

__all__ = ["Dataset", "Status", "load", "split", "status"]
