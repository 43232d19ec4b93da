"""How fast the package is, beside others that do the same: what `tfrec benchmark speed` runs."""
