"""PyTorch classifies a picture with weights from a file; with `--rates`, it also measures answers per second."""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.peers import common
from benchmarks.peers.torch_eager import mlp


def main() -> None:
    """Print the class and the rates as one line of JSON. Missing weights are random, because only time matters."""
    options = parse()
    model = mlp()
    if not options.weights.exists():
        torch.save(model.state_dict(), options.weights)
    model.load_state_dict(torch.load(options.weights, weights_only=True))
    pixels = np.asarray(Image.open(options.picture).convert("L"), np.uint8).reshape(1, -1)

    def logits(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return model((torch.from_numpy(images).float() - 72.9) / 90.0).numpy()

    answer = {"class_index": int(logits(pixels).argmax())}
    print(json.dumps(answer | (common.prediction_rates(logits, pixels) if options.rates else {})))


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--picture", type=Path, required=True)
    parser.add_argument("--rates", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
