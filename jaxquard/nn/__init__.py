"""The network from scratch: initialisers, activations, layers, losses, models. Pure functions; imports jax only.

To add an architecture, write a file with a function that returns a `Model`, like `mlp.py` and `cnn.py`:

- Its keyword arguments are its own settings; `image_shape` (height, width, channels) and `classes`; `activation`, a
  name in ACTIVATIONS; `initializer`, a function; `dropout_rate`, a float, a traced scalar or None; `mean` and `std` of
  the pixels in [0, 1].
- It builds a list of layers and returns `sequential(plan, initializer, dropout_rate)`. `sequential.py` describes the
  kinds of layers. A new kind needs a case there and a case in the interpreter of `tests/nn/test_sequential.py`.
- The first layer is "standardize". The last is "dense" with one output for each class.
- For settings that do not fit the images it raises ValueError("name of the setting: what is wrong").

Then add the function to ARCHITECTURES in `architectures.py`. In `config.py` add its name to `Architecture` and its
settings to `Config`, each with `needs=("model", "its name")`; a setting of two architectures names both. If its weights
do not depend on the size of the images, add its name to the needs of `half_size_share`. The rest of the package reads
the list of layers.
"""
