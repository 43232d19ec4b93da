"""BERT's clean-up of text as one table: what each Unicode code point turns into before words are split."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np

CODE_POINTS = 0x110000
PAGE = 256
# In the table: the code point itself, so that most of its pages are alike and are stored once.
ITSELF = -1
_SPACES = frozenset("\t\n\r\u2028\u2029")
# The blocks of Chinese characters that BERT splits. The fifth starts 256 code points late in the reference tokenizer
# (Hugging Face tokenizers), and so it does here.
_CJK = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


@functools.lru_cache(maxsize=4)
def replacement_table(lower_case: bool, strip_accents: bool, split_cjk: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return what each code point turns into, in pages of 256 code points.

    Every step of BERT's clean-up looks at one code point: control characters go, white space becomes a space,
    punctuation and Chinese characters get a space on both sides, accents are taken off by canonical decomposition and
    case is lowered. So the table is exact, and the graph that applies it needs two gathers.

    Returns:
        index int32 [4352]: the page of code point // 256; and pages int32 [P * 256, R]: the code points that replace
        it, `ITSELF` for the code point itself, filled up with 0.
    """
    replacements = {}
    for character in map(chr, range(CODE_POINTS)):
        replacement = _replacement(character, lower_case, strip_accents, split_cjk)
        if replacement != character:
            replacements[character] = replacement
    longest = max(map(len, replacements.values()))
    table = np.zeros((CODE_POINTS, longest), np.int32)
    table[:, 0] = ITSELF
    for character, replacement in replacements.items():
        row = [ITSELF if c == character else ord(c) for c in replacement]
        table[ord(character)] = row + [0] * (longest - len(row))
    pages, index = np.unique(table.reshape(CODE_POINTS // PAGE, -1), axis=0, return_inverse=True)
    return index.reshape(-1).astype(np.int32), pages.reshape(-1, longest)


def _replacement(character: str, lower_case: bool, strip_accents: bool, split_cjk: bool) -> str:
    category = unicodedata.category(character)
    if character in _SPACES or category == "Zs":
        return " "
    if character == "\ufffd" or category in ("Cc", "Cf", "Co", "Cs"):
        return ""
    letters = character
    if strip_accents:
        letters = "".join(c for c in unicodedata.normalize("NFD", character) if unicodedata.category(c) != "Mn")
    if lower_case:
        letters = "".join(c.lower() for c in letters)
    letters = "".join(f" {c} " if _is_punctuation(c) else c for c in letters)
    return f" {letters} " if split_cjk and _is_cjk(ord(character)) else letters


def _is_punctuation(character: str) -> bool:
    """Unicode punctuation, and every printable ASCII character that is neither a letter nor a digit."""
    if unicodedata.category(character).startswith("P"):
        return True
    return "!" <= character <= "~" and not character.isalnum()


def _is_cjk(code_point: int) -> bool:
    return any(first <= code_point <= last for first, last in _CJK)
