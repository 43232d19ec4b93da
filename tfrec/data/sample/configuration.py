"""The commented configuration that is written beside the sample catalogue."""

CONFIGURATION = """\
# Lanternbox: two-minute tales, each with a cover and a signature tune. Made by `tfrec data sample`; README.md beside
# this file says what is in it. Every key is explained where it is set; those left out have the defaults of the docs.
name: lanternbox

data:                         # paths start from the folder of this file
  items: catalogue.csv
  users: users.csv
  events: events.csv
  output: build               # everything tfrec writes goes here

schema:
  items:
    id: item_id
    title: title              # what people are shown
    features:
      text:
        modality: text
        columns: [title, description]     # joined by ". "
        encoder: {kind: hub, path: minilm, train: none}   # pretrained sentence encoder, frozen: computed once, cached
      picture:
        modality: image
        encoder: {kind: small-cnn, size: 48}              # trained from scratch with the towers
      sound:
        modality: audio
        encoder: {kind: logmel-cnn, seconds: 1.25}        # log-mel spectrogram and a CNN, trained likewise
      category: category      # short for {modality: category}
      tags: {modality: categories, separator: "|"}
      price: number
  users:
    id: user_id
    features:
      age: number
      country: category
      plan: category
  events:
    user: user_id
    item: item_id
    time: timestamp
    type: event
    weights: {view: 1, click: 2, purchase: 4}   # what an event of each type counts; other types are quarantined
    context:
      device: category        # known at the moment of the request

split:
  by: time                    # the first 80 % of the events train, the next 10 % choose, the last 10 % test
  validation: 0.1
  test: 0.1
  held_out_items: 0.1         # items never trained on, to measure how well new items are recommended
  seed: 42

training:
  encoder_epochs: 6           # the CNNs learn first; then their vectors are computed once
  encoder_batch_size: 128     # with twice as many rows a step takes as long, and there are half as many

serving:                      # fixed shapes of the exported signatures
  history: 30
  exclude: 50
  k: 20
"""

README = """\
# Lanternbox: a made-up library of tales

All of it was composed, drawn and synthesised by `tfrec data sample`; nothing comes from elsewhere.

- `catalogue.csv`: {items} tales with title, description, category, tags, price, a cover (`pictures/`) and a signature
  tune (`sounds/`)
- `users.csv`: {users} listeners; `events.csv`: {events} events (view, click, purchase) of half a year
- `new_items/new_items.csv`: {new_items} tales nobody has heard yet, in no event, with covers and tunes of their own
- `tfrec.yaml`: the configuration; `traits.json`: the hidden truth, for tests only

Listeners like some story worlds and moods (told in the text only), some palettes and motifs (seen in the cover only),
and some timbres and paces (heard in the tune only). A tale's chance grows with each liked trait, with its popularity,
its novelty and the season of its world; tastes lean on those of one of eight circles, and some drift.

## Broken on purpose
{flaws}
"""
