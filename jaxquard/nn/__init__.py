"""The network from scratch: initialisers, activations, layers, losses, models. Pure functions of jax alone.

How to add an architecture. It is a function in a file of its own that returns a `Model`; see `mlp.py` and `cnn.py`.

- Its arguments, by name: its own settings; `image_shape` (height, width, channels) and `classes`; `activation`, a name
  in ACTIVATIONS; `initializer`, a function; `dropout_rate`, a number, a traced one or None; `mean` and `std` of the
  pixels in [0, 1].
- It makes a list of layers, kinds with attributes, and returns `sequential(plan, initializer, dropout_rate)`. That
  makes the parameters, runs the layers, and lists them with their arrays: `sequential.py` says which kinds there are.
  A new kind is a case there, and one in the interpreter of `tests/nn/test_sequential.py`.
- The first layer is "standardize", the last one "dense", with one output for each class.
- It raises ValueError for settings that its images do not allow: "name of the setting: what is wrong".

Then add it to ARCHITECTURES in `architectures.py`, and in `config.py` its name to `Architecture` and its settings to
`Config`, each with `needs=("model", "its name")`. A setting that it shares with another names both. If its weights do
not depend on the size of the images, `half_size_share` names it, too. Training, runs, model files, the command line and
the studio read everything else off the list of layers.
"""
