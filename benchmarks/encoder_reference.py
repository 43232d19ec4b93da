"""Encodes mixed texts with MiniLM in Transformers and PyTorch, for the test that ours gives the same.

Needs `pip install torch transformers` in an environment of its own, and the checkpoint's folder:

    python benchmarks/encoder_reference.py MODEL_FOLDER [OUTPUT]
"""

from __future__ import annotations

import argparse
import json
import os

OUTPUT = os.path.join(os.path.dirname(__file__), "..", "tests", "encoders", "minilm_reference.json")
MAX_LENGTH = 256
TEXTS = [
    "",
    " \t\r\n ",
    "A lighthouse keeper adopts a shy robot.",
    "SHOUTING Title, Mixed CASE & Symbols: 50% off! (today only) #sale @home $9.99 <b>bold</b> ~`^|",
    "Crème brûlée à l'œuf, façon naïve; Ångström, Łódź, İstanbul, straße, smørrebrød, ñandú",
    "Cafe\u0301 with a combining accent, and \u1ec7 stacked twice e\u0323\u0302",
    "Быстрый поезд едет в Санкт-Петербург, ёлка и йод",
    "Ο Οδυσσέας γύρισε σπίτι ΤΕΛΟΣ",
    "龍と少女の冒険、東京タワーで。カタカナ ひらがな",
    "我喜欢看电影和听音乐",
    "한국어 영화 추천",
    "קומדיה רומנטית על שני שכנים",
    "فيلم وثائقي عن الصحراء الكبرى",
    "हिन्दी में एक कहानी",
    "นิทานเรื่องช้างกับมด",
    "emoji 🎬🍿 family 👨‍👩‍👧‍👦 flag 🇯🇵 tone 👍🏽 heart ❤️",
    "control\x00\x01\x1f\x7f\x85 zero\u200bwidth joiner\u200d bom\ufeff replacement\ufffd private\ue000",
    "spaces\u00a0no-break\u2003em\u3000ideographic\u2028line\u2029paragraph",
    "Ｆｕｌｌ－ｗｉｄｔｈ letters, ﬁ ligature, ² superscript, ½ half, № sign, ™",
    "“Curly quotes” — dashes – and … dots ‹›«» ¿qué? ¡sí!",
    "https://example.org/films/4711?lang=en&sort=desc#top mail me@example.org",
    "C++ and C# vs. F#; x^2 + y_1 = 3.14e-10; a/b\\c; it's o'clock",
    "mixed東京textと한글and русский123",
    "[CLS] [SEP] [MASK] [PAD] [UNK] are words of the text here",
    "a" * 100 + " " + "b" * 101 + " end",
    "ж" * 100 + " " + "ж" * 101 + " end",
    "internationalization antidisestablishmentarianism supercalifragilisticexpialidocious",
    "Night falls over the harbour while three sisters argue about the map. " * 40,
    "0 1 22 333 4444 1,000,000 1.000,00 ١٢٣ Ⅷ",
    "\ud55c\u1112\u1161\u11ab decomposed hangul",
]


def main(model_folder: str, output: str = OUTPUT) -> None:
    import torch
    import transformers
    from transformers import AutoTokenizer, BertModel

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = BertModel.from_pretrained(model_folder).eval()
    tokens = tokenizer(
        TEXTS,
        truncation=True,
        max_length=MAX_LENGTH,
        padding=True,
        return_tensors="pt",
        split_special_tokens=True,
    )
    with torch.inference_mode():
        outputs = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"]
    weights = mask[:, :, None].float()
    means = (outputs * weights).sum(1) / weights.sum(1)
    embeddings = torch.nn.functional.normalize(means, dim=1)
    reference = {
        "model": "all-MiniLM-L6-v2",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "max_length": MAX_LENGTH,
        "texts": TEXTS,
        "ids": [row[: int(kept.sum())].tolist() for row, kept in zip(tokens["input_ids"], mask)],
        "embeddings": [[round(value, 6) for value in row] for row in embeddings.tolist()],
    }
    with open(output, "w", encoding="utf-8") as file:
        json.dump(reference, file, separators=(",", ":"))
        file.write("\n")
    print(f"{len(TEXTS)} texts written to {output}, {os.path.getsize(output) / 1000:.0f} kB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model_folder", help="the checkpoint, with its vocab.txt")
    parser.add_argument("output", nargs="?", default=OUTPUT, help="JSON file to write; the tests' by default")
    given = parser.parse_args()
    main(given.model_folder, given.output)
