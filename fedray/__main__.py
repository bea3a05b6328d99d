"""`python -m fedray`: the command line, also the entry point of a submitted Ray job."""

from fedray.cli import main

if __name__ == "__main__":
    main()
