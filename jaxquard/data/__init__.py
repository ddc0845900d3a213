"""Bytes to verified uint8 arrays: the formats, where data sets come from, and the split."""

from jaxquard.data.dataset import Dataset, split
from jaxquard.data.loader import Status, load, status

__all__ = ["Dataset", "Status", "load", "split", "status"]
