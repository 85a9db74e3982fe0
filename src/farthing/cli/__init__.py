"""One file per command of the farthing program."""
