"""The top floor: the `tallygate` command, one file per noun."""
