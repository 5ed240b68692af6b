"""`python -m cli` is `pneumoscreen`."""

from cli.main import main

if __name__ == "__main__":
    main()
