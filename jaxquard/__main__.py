"""`python -m jaxquard`: the command line, for use where `jaxquard` is not on the path."""

from jaxquard.cli import main

if __name__ == "__main__":
    main()
