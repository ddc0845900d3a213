"""The data sets with a name: their files with SHA-256 hashes, their classes, and their download addresses."""

import string
from dataclasses import dataclass

from jaxquard.data.dataset import NDIM
from jaxquard.errors import UsageError
from jaxquard.naming import letters, natural, suggestion


@dataclass(frozen=True)
class File:
    """One IDX file. `sha256` is the hash of its decoded bytes; if none is published, `served_sha256` is the hash of the
    gzip file on its authors' server. `role` is a key of dataset.NDIM, `count` the number of its examples."""

    role: str
    name: str
    count: int
    sha256: str = ""
    served_sha256: str = ""

    ndim: int = 0  # of its array; 0: that of the role in NDIM

    def __post_init__(self) -> None:
        object.__setattr__(self, "ndim", self.ndim or NDIM[self.role])


@dataclass(frozen=True)
class Archive:
    """A published archive in CIFAR's binary format: its name without .gz, its MD5, the names of its members with the
    records of each part, and the bytes of labels in a record."""

    name: str
    md5: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: int = 1


@dataclass(frozen=True)
class Entry:
    """A known data set. Its gzip files, or its one `archive`, come from `mirrors` (HTTPS addresses that end before the
    file's name) or from a Debian package; other programs keep copies in `folders`. `licence` and `hub` are the Hugging
    Face Hub's identifiers of its licence and of itself; "" if there is none. The sources of licences are in
    docs/DATA.md. `transposed` and `first_label` are for EMNIST, whose images are transposed and whose letters are
    counted from 1."""

    name: str
    title: str
    class_names: tuple[str, ...]
    files: tuple[File, ...] = ()
    archive: Archive | None = None
    mirrors: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    debian_package: str = ""
    homepage: str = ""
    licence: str = ""
    hub: str = ""
    transposed: bool = False
    first_label: int = 0

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the images: CIFAR's, or MNIST's, which all others have."""
        return (32, 32, 3) if self.archive else (28, 28, 1)

    @property
    def pinned(self) -> bool:
        """Whether the SHA-256 of every decoded file is known."""
        return all(file.sha256 for file in self.files)


PATHS = "the path of a folder of pictures or IDX files, or of a .csv, .parquet or .npz file"


def find(name: str) -> Entry | None:
    """The data set with this name or title, or None. Case, hyphens, underscores and spaces do not matter."""
    wanted = letters(name)
    return next((one for one in CATALOGUE.values() if wanted in (letters(one.name), letters(one.title))), None)


def unknown(name: str) -> UsageError:
    """The error for a name that is neither known nor a path."""
    names = ", ".join(sorted(CATALOGUE, key=natural))
    return UsageError(f"unknown data set {name[:80]!r}{suggestion(name, CATALOGUE) or '.'} Known: {names};\nor {PATHS}")


def only_in_python() -> UsageError:
    """The error for data that were arrays."""
    return UsageError(
        "the data of this run were arrays in Python; give them there again: "
        "jaxquard.train(resume=…, data=(X, y)), or jaxquard.evaluate(…, data=(X, y))"
    )


ARRAYS = "arrays"  # the name of the data set of a run whose data were given as arrays

_DIGITS = tuple(string.digits)
_MNIST_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_UNKNOWN = ("", "", "", "")


def _files(
    names: tuple[str, ...],
    sha256: tuple[str, ...] = _UNKNOWN,
    *,
    served: tuple[str, ...] = _UNKNOWN,
    train: int = 60000,
    test: int = 10000,
) -> tuple[File, ...]:
    return tuple(map(File, NDIM, names, (train, train, test, test), sha256, served))


def _emnist(part: str, train: int, test: int, class_names: str, first_label: int = 0) -> Entry:
    """One part of EMNIST. Its authors serve one archive of 560 MB with all six, so users supply the files by hand. No
    hashes are published, so only the number of examples is checked."""
    return Entry(
        name=f"emnist-{part}",
        title=f"EMNIST ({part})",
        class_names=tuple(class_names),
        files=_files(
            tuple(f"emnist-{part}-{name.replace('t10k', 'test')}" for name in _MNIST_NAMES), train=train, test=test
        ),
        folders=("data/EMNIST/raw", "~/data/EMNIST/raw"),
        homepage="https://www.nist.gov/itl/products-and-services/emnist-dataset",
        transposed=True,
        first_label=first_label,
    )


def _cifar(classes: int, class_names: str, archive: Archive) -> Entry:
    """CIFAR-10 or CIFAR-100. `files` are what the cache has of it; their authors publish the archive's MD5 alone."""
    return Entry(
        name=f"cifar-{classes}",
        title=f"CIFAR-{classes}",
        class_names=tuple(class_names.split()),
        files=(
            File("train_images", "train-images-idx4-ubyte", 50000, ndim=4),
            File("train_labels", "train-labels-idx1-ubyte", 50000),
            File("test_images", "t10k-images-idx4-ubyte", 10000, ndim=4),
            File("test_labels", "t10k-labels-idx1-ubyte", 10000),
        ),
        archive=archive,
        mirrors=("https://www.cs.toronto.edu/~kriz/",),
        homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
        hub=f"uoft-cs/cifar{classes}",
    )


_MERGED = string.digits + string.ascii_uppercase + "abdefghnqrt"  # letters whose cases look alike are one class

_ENTRIES = (
    Entry(
        name="fashion-mnist",
        title="Fashion-MNIST",
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        # Hashes of the files in Debian's package. These are upstream's data: with the name and time that Debian strips
        # from the gzip headers (31 August 2017, 10:50 UTC), they have the MD5 sums in upstream's README.
        files=_files(
            _MNIST_NAMES,
            (
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ),
        mirrors=(
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        folders=(
            "/usr/share/datasets/fashion-mnist",
            "~/.keras/datasets/fashion-mnist",
            "data/FashionMNIST/raw",
            "~/data/FashionMNIST/raw",
        ),
        debian_package="dataset-fashion-mnist",
        homepage="https://github.com/zalandoresearch/fashion-mnist",
        licence="mit",
        hub="zalando-datasets/fashion_mnist",
    ),
    Entry(
        name="mnist",
        title="MNIST",
        class_names=_DIGITS,
        # Several independent projects publish these hashes, and those of Kuzushiji-MNIST below.
        files=_files(
            _MNIST_NAMES,
            (
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ),
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ),
        folders=("data/MNIST/raw", "~/data/MNIST/raw"),
        homepage="http://yann.lecun.com/exdb/mnist/",
        licence="cc-by-sa-3.0",
        hub="ylecun/mnist",
    ),
    Entry(
        name="kmnist",
        title="Kuzushiji-MNIST",
        class_names=("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
        files=_files(
            _MNIST_NAMES,
            served=(
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ),
        mirrors=("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        folders=("data/KMNIST/raw", "~/data/KMNIST/raw"),
        homepage="http://codh.rois.ac.jp/kmnist/",
        licence="cc-by-sa-4.0",
    ),
    _emnist("balanced", 112800, 18800, _MERGED),
    _emnist("bymerge", 697932, 116323, _MERGED),
    _emnist("byclass", 697932, 116323, string.digits + string.ascii_uppercase + string.ascii_lowercase),
    _emnist("letters", 124800, 20800, string.ascii_uppercase, first_label=1),
    _emnist("digits", 240000, 40000, string.digits),
    _emnist("mnist", 60000, 10000, string.digits),
    _cifar(
        10,
        "airplane automobile bird cat deer dog frog horse ship truck",
        Archive(
            "cifar-10-binary.tar",
            "c32a1d4ab5d03f1284b67883e8d87530",
            tuple(f"cifar-10-batches-bin/data_batch_{k}.bin" for k in range(1, 6)),
            ("cifar-10-batches-bin/test_batch.bin",),
        ),
    ),
    _cifar(
        100,
        """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard lobster
        man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear pickup_truck
        pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk
        skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger
        tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """,
        Archive(
            "cifar-100-binary.tar",
            "03b5dce01913d631647c71ecec9e9cb8",
            ("cifar-100-binary/train.bin",),
            ("cifar-100-binary/test.bin",),
            labels=2,
        ),
    ),
    Entry(name="digits", title="Digits, 8×8 (scikit-learn's)", class_names=_DIGITS, licence="cc-by-4.0"),
)

CATALOGUE = {entry.name: entry for entry in _ENTRIES}
