"""The predictions per second of one of our models after warm-up (from process start: `jaxquard predict`)."""

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image

import jaxquard
from benchmarks.peers import common


def main() -> None:
    """Print the rates as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    options = parser.parse_args()
    model = jaxquard.load_model(options.model, runs=options.runs)
    pixels = np.asarray(Image.open(options.picture).convert("L"), np.uint8).reshape(1, *model.image_shape)
    print(json.dumps(common.prediction_rates(model.logits, pixels)))


if __name__ == "__main__":
    main()
