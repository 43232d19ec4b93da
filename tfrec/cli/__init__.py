"""The command `tfrec`, a module for each command, found by its name.

`main` parses and runs; `arguments` and `output` are what all commands share. Only what a command needs is imported
when it runs, so `tfrec --help` and the commands that ask a server start at once.
"""
