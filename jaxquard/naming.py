"""Names: suggestions for unknown ones, a natural order, and what makes any of them safe to print."""

import difflib
import re
from collections.abc import Iterable, Sequence

from jaxquard.arguments import shown

# Our name, and the names in scikit-learn, Keras, PyTorch and others. Case, - and _ do not matter.
SYNONYMS = {
    "dataset": "data ds data_name",
    "image_size": "imgsz img_size input_size resize resolution target_size",
    "color": "color_mode colour",
    "validation": "val val_size val_split valid validation_split validation_fraction validation_size",
    "flip": "hflip horizontal_flip mirror random_flip",
    "shift": "translate translation random_crop crop_padding",
    "erasing": "random_erasing",
    "mixup": "mixup_alpha",
    "model": "arch architecture net network model_name",
    "hidden": "hidden_dim hidden_dims hidden_layer_sizes hidden_layers hidden_size hidden_sizes layers units",
    "widths": "channels filters num_filters",
    "activation": "act activation_fn nonlinearity",
    "initializer": "init kernel_initializer weight_init",
    "batch_norm": "bn batch_normalization use_bn",
    "dropout": "drop drop_rate dropout_p dropout_rate",
    "loss": "criterion loss_fn loss_function objective",
    "label_smoothing": "smoothing",
    "temperature": "tau",
    "l2": "alpha l2_reg lambda lmbda reg regularization weight_l2",
    "optimizer": "algorithm optim opt solver",
    "learning_rate": "lr eta base_lr init_lr initial_lr learning_rate_init max_lr step_size",
    "momentum": "mom mu",
    "beta1": "b1 beta_1",
    "beta2": "b2 beta_2",
    "epsilon": "eps",
    "weight_decay": "wd decay",
    "clip_norm": "clip clip_grad_norm clipnorm grad_clip gradient_clip gradient_clip_val max_grad_norm max_norm",
    "schedule": "lr_schedule lr_scheduler sched scheduler learning_rate_schedule",
    "warmup": "warmup_epochs",
    "decay_every": "lr_step lr_step_size",
    "decay_factor": "gamma lr_decay lr_gamma",
    "ema": "ema_decay",
    "batch_size": "batch bs batch_sz mini_batch mini_batch_size train_batch_size",
    "epochs": "e max_epochs max_iter n_epochs nb_epoch num_epochs num_train_epochs",
    "patience": "early_stopping early_stopping_patience early_stopping_rounds n_iter_no_change",
    "tta": "test_time_augmentation",
    "seed": "random_seed random_state rng_seed",
    "seeds": "ensemble n_models n_seeds num_seeds",
    "sweep": "grid param_grid search",
    "name": "exp experiment exp_name run run_name",
    "resume": "checkpoint ckpt continue resume_from",
    "checkpoint_every": "checkpoint_freq save_every save_freq save_steps",
    "runs": "log_dir logdir out_dir output output_dir runs_dir save_dir",
    "data_dir": "data_path data_root root",
    "quiet": "silent",
}


MAX_DIGITS = 1000  # of a number in a name; Python refuses much longer ones


def letters(name: str) -> str:
    """A name in lower case, without hyphens, underscores and spaces."""
    return re.sub("[-_ ]", "", name).lower()


_MEANT = {letters(word): name for name, words in SYNONYMS.items() for word in words.split()}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant, if any: `name` is a synonym of it, or similar."""
    spelled = {letters(one): one for one in known}
    meant = _MEANT.get(letters(name), "")
    close = [letters(meant)] if letters(meant) in spelled else difflib.get_close_matches(letters(name), spelled, n=1)
    return spelled[close[0]] if close else None


def suggestion(name: object, known: Iterable[str]) -> str:
    """ "; did you mean …?" for an unknown name, or an empty text."""
    close = nearest(name, known) if isinstance(name, str) else None
    return f"; did you mean {close}?" if close else ""


def none_of(value: object, known: Sequence[str]) -> str:
    """`'rleu' is not one of: relu, tanh; did you mean relu?`"""
    return f"{shown(value)} is not one of: {', '.join(known)}{suggestion(value, known)}"


def counted(number: int, noun: str) -> str:
    """`1 epoch`, `1,000 epochs`, `2 classes`."""
    return f"{number:,} {noun}{'' if number == 1 else 'es' if noun.endswith('s') else 's'}"


def natural(name: str) -> tuple[list[tuple[bool, int, str]], str]:
    """A key that sorts the numbers in names as numbers: `2.png` before `10.png`."""
    parts = re.split(r"(\d+)", name.casefold())
    return [
        (False, int(part[:MAX_DIGITS]), "") if part.isdecimal() else (True, 0, part) for part in parts if part
    ], name


def printable(text: str) -> str:
    """Lines of text with escapes for what does not print: names of files may come from strangers."""
    return "\n".join(map(visible, text.split("\n")))


def visible(text: str) -> str:
    """Text with escapes for what does not print, such as control characters; joiners stay, for emoji and scripts."""
    return "".join(c if c.isprintable() or c in "\u200c\u200d" else c.encode("unicode_escape").decode() for c in text)
