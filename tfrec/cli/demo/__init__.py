"""`tfrec demo`: the whole way on the sample catalogue, told as a story.

`command` tells it; `preparation` makes the catalogue, `server` keeps the serving process, `tastes` knows what the
tales are like and who likes what, `newcomers` adds tales nobody has heard, `tables` draws.
"""
