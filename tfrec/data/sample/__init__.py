"""The embedded sample catalogue: a made-up library of tales with covers, signature tunes and half a year of events.

It is made from a seed, with no download. Which items a user likes depends on hidden traits of which some show only in
the text, some only in the picture and some only in the sound; see `tfrec.data.sample.traits`. Some rows are broken on
purpose; see `tfrec.data.sample.flaws`.
"""

from tfrec.data.sample.writing import write_sample

__all__ = ["write_sample"]
