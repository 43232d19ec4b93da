"""Searches settings with KerasTuner: each trial trains a model, and the validation part says how good it is.

`study` runs the trials and goes on where it was stopped, `oracle` chooses what to try, `results` and `plot` tell what
was found.
"""
