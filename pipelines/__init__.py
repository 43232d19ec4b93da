"""The TFX pipeline: from ingestion to a pushed servable. The only package of tfrec that imports tfx.

`pipeline` defines it, `local` runs it on this machine, `run` is what the command line calls.
"""
