"""Alarms: signs that a model or its measurement is broken, told in words. See docs/alarms.md.

Each check takes arrays and returns an `Alarm` or nothing, and needs no TensorFlow. Who has the arrays asks: training at
the end of an epoch, the export of what it has written, and the evaluation of the model that is served.
"""
