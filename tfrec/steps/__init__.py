"""The steps of a recommender's life, one function each; `tfrec` runs them in one process, TFX as components."""
