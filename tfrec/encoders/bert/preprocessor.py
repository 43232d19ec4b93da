"""Text to BERT's inputs inside a TensorFlow graph, with ops that the stock TensorFlow Serving image links."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_text as text

from tfrec.encoders.bert.checkpoint import Tokens
from tfrec.encoders.bert.normalisation import ITSELF, PAGE, replacement_table

# A longer word is unknown, as in the reference tokenizer.
LONGEST_WORD = 100
# A private-use character: the clean-up removes it from every text, so that it stands for an unknown word.
_UNKNOWN_WORD = "\ue000"


class BertPreprocessor(tf.Module):
    """Tokenises as Hugging Face's BertTokenizer does with `split_special_tokens`: "[SEP]" in a text is four pieces.

    tensorflow_text's own BertTokenizer and FastBertTokenizer differ from it: they fold full-width and presentation
    forms, split a word at a control character instead of dropping the character, keep private code points, and call a
    word unknown after 100 bytes instead of 100 characters. What differs here are a few hundred rare characters that
    came to Unicode after 2015 (marks and punctuation of ancient scripts above all), for which the reference's tables
    are older than Python's.
    """

    def __init__(self, tokens: Tokens, max_length: int) -> None:
        super().__init__(name="preprocessor")
        self.max_length = max_length
        self._cls, self._sep = tokens.vocabulary.index(tokens.cls), tokens.vocabulary.index(tokens.sep)
        index, pages = replacement_table(tokens.lower_case, tokens.strip_accents, tokens.split_cjk)
        self._index, self._pages = tf.constant(index), tf.constant(pages)
        self._pieces = text.FastWordpieceTokenizer(
            vocab=_usable_pieces(tokens.vocabulary),
            token_out_type=tf.int32,
            unknown_token=tokens.unknown,
            no_pretokenization=True,
            max_bytes_per_word=4 * LONGEST_WORD,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, texts: tf.Tensor) -> dict[str, tf.Tensor]:
        """Tokenise UTF-8 texts [B] to `input_word_ids`, `input_mask` and `input_type_ids`, int32 [B, max_length].

        A text starts with [CLS] and ends with [SEP], also when it is empty or cut.
        """
        room = self.max_length - 2
        pieces = self._tokenize(texts, most_words=room)[:, :room]
        rows = tf.shape(texts)[0]
        ids = tf.concat([tf.fill([rows, 1], self._cls), pieces, tf.fill([rows, 1], self._sep)], axis=1)
        shape = [None, self.max_length]
        word_ids = ids.to_tensor(shape=shape)
        mask = tf.ones_like(ids).to_tensor(shape=shape)
        return {"input_word_ids": word_ids, "input_mask": mask, "input_type_ids": tf.zeros_like(word_ids)}

    def _tokenize(self, texts: tf.Tensor, most_words: int) -> tf.RaggedTensor:
        # Every word gives a piece at least, so the words that cannot fit need not be looked up.
        words = tf.strings.split(self._cleaned(texts))[:, :most_words]
        short = tf.strings.length(words.flat_values, unit="UTF8_CHAR") <= LONGEST_WORD
        words = words.with_flat_values(tf.where(short, words.flat_values, _UNKNOWN_WORD))
        return self._pieces.tokenize(words).merge_dims(1, 2)

    def _cleaned(self, texts: tf.Tensor) -> tf.Tensor:
        """Texts [B] with their words separated by spaces; bytes that are no UTF-8 are dropped."""
        characters = tf.strings.unicode_decode(texts, "UTF-8", errors="replace", replacement_char=0xFFFD)
        points = characters.flat_values
        page = tf.gather(self._index, points // PAGE)
        replaced = tf.gather(self._pages, page * PAGE + points % PAGE)
        replaced = tf.where(replaced == ITSELF, points[:, None], replaced)
        kept = replaced > 0
        ends = tf.concat([[0], tf.cumsum(tf.math.count_nonzero(kept, axis=1))], axis=0)
        cleaned = tf.RaggedTensor.from_row_splits(
            tf.boolean_mask(replaced, kept), tf.gather(ends, characters.row_splits), validate=False
        )
        return tf.strings.unicode_encode(cleaned, "UTF-8")


def _usable_pieces(vocabulary: tuple[str, ...]) -> list[str]:
    """The vocabulary with empty and repeated lines, which the tokenizer refuses, replaced by ones no text contains.

    Of equal lines the last counts, as in the reference.
    """
    last = {piece: position for position, piece in enumerate(vocabulary)}
    return [
        piece if piece.strip() and last[piece] == position else f"\ue001{position}"
        for position, piece in enumerate(vocabulary)
    ]
