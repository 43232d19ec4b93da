"""Public data sets as catalogue, users and events of ours: MovieLens 100K, 1M and latest-small."""

from tfrec.data.public.preparation import PUBLIC_DATA, prepare_public

__all__ = ["PUBLIC_DATA", "prepare_public"]
