"""`python -m gateway` is `tallygate`."""

from gateway.cli.main import main

if __name__ == "__main__":
    main()
