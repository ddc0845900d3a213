"""`python -m jaxquard`: the command line, where no `jaxquard` is on the path."""

from jaxquard.cli import main

if __name__ == "__main__":
    main()
