"""Word lists for the moods of the tales, and the names of the people in them."""

from __future__ import annotations

import dataclasses

from tfrec.data.sample.worlds import phrases


@dataclasses.dataclass(frozen=True)
class Mood:
    """Adjectives for titles and for the tale, and sentences that say how it feels."""

    title: tuple[str, ...]
    tale: tuple[str, ...]
    feelings: tuple[str, ...]


NAMES = phrases(
    "Ada; Amara; Anselm; Astrid; Bela; Bruno; Callum; Carmen; Chidi; Dalia; Davit; Edda; Elif; Emeka; Farid; Fenna; "
    "Gita; Goran; Hana; Hugo; Ines; Ivo; Jamila; Joaquin; Kaito; Katya; Kofi; Lena; Linnea; Lucho; Maeve; Mateo; "
    "Mirza; Nadia; Nils; Noor; Odile; Oskar; Paloma; Pavel; Priya; Quentin; Rafael; Ravi; Rosa; Saskia; Selim; Signe; "
    "Tamar; Teo; Tove; Umi; Valter; Wanda; Xenia; Yara; Yusuf; Zeno; Zofia; Zubin"
)

MOODS = {
    "calm": Mood(
        title=phrases("Quiet; Gentle; Drowsy; Peaceful; Restful; Soft; Still; Sleepy"),
        tale=phrases("calm; peaceful; soothing; restful; gentle; tranquil"),
        feelings=phrases(
            "A calm, soothing tale to relax with before sleep; Peaceful and restful from beginning to end; "
            "Nothing bad happens, and that is the point: pure tranquillity; A quiet story that lets you breathe out; "
            "Serene, gentle and good for tired evenings; Soothing company for a lazy afternoon"
        ),
    ),
    "funny": Mood(
        title=phrases("Ridiculous; Clumsy; Preposterous; Cheeky; Giggling; Absurd; Bumbling; Silly"),
        tale=phrases("funny; ridiculous; hilarious; silly; absurd; comic"),
        feelings=phrases(
            "A hilarious comedy of errors with a joke in every line; Silly, absurd and laugh-out-loud funny; "
            "You will giggle until somebody asks why; Pure slapstick with a straight face; "
            "A ridiculous farce told by a comedian; Expect puns, pratfalls and plenty of laughter"
        ),
    ),
    "eerie": Mood(
        title=phrases("Whispering; Uncanny; Sleepless; Creeping; Nameless; Shivering; Cursed; Unseen"),
        tale=phrases("eerie; creepy; unsettling; spooky; sinister; chilling"),
        feelings=phrases(
            "An eerie, unsettling tale that raises the hair on your neck; Creepy enough to leave the light on; "
            "Sinister hints gather until nothing feels safe; A spooky chiller best not heard alone; "
            "Dread seeps in from every corner; Chilling, strange and full of menace"
        ),
    ),
    "daring": Mood(
        title=phrases("Reckless; Fearless; Runaway; Daring; Stolen; Great; Unstoppable; Impossible"),
        tale=phrases("daring; thrilling; breathless; action-packed; bold; heroic"),
        feelings=phrases(
            "A thrilling adventure with narrow escapes and brave deeds; Action-packed, bold and full of danger; "
            "A breathless chase with a heroic leap at the end; For everyone who loves peril, courage and cliffhangers; "
            "An exciting adventure that never lets go; Heroes, risks and a daring rescue"
        ),
    ),
    "wistful": Mood(
        title=phrases("Forgotten; Faraway; Half-Remembered; Last; Lost; Vanishing; Parting; Lonely"),
        tale=phrases("wistful; melancholy; nostalgic; bittersweet; sad; mournful"),
        feelings=phrases(
            "A bittersweet, melancholy tale about letting go; Nostalgic and sad, with a farewell you will remember; "
            "Wistful memories of a time that will not come back; A lonely story about loss and longing; "
            "Mournful, tearful and quietly heartbreaking; An elegy for everything we leave behind"
        ),
    ),
    "tender": Mood(
        title=phrases("Beloved; Dearest; Secret; Promised; Cherished; Hand-Written; Shared; Blushing"),
        tale=phrases("tender; romantic; loving; affectionate; heartfelt; sweet"),
        feelings=phrases(
            "A tender love story about two people who nearly missed each other; Romantic, sweet and full of affection; "
            "It begins with a glance and ends with a kiss; A heartfelt romance about falling in love late; "
            "Warm-hearted, loving and shamelessly sentimental; A love letter in disguise"
        ),
    ),
}
