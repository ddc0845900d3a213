"""The other systems, one small file each, written as their own documentation recommends.

Every peer does the same work: the MLP 784-128-64-10 with ReLU, weights from N(0, 1/n_in), cross-entropy, SGD with
learning rate 0.01, batch 128, a new permutation each epoch, standardised float32 pixels in memory. Each runs in its own
process (`python -m benchmarks.peers.torch_eager --data DIR --epochs 3`) and prints one line of JSON.
"""

import time

STARTED = time.perf_counter()  # here, so that the time includes the peer's imports
