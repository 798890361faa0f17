"""What each `bess` command does, one module per kind of command; `cli.py` only parses and prints."""
