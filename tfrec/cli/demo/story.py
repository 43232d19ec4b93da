"""What the demo asks the server, and how it shows the answers."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from typing import Any

from rich.markup import escape

from tfrec.cli.demo.newcomers import add_newcomers, recommended_to, remembered_words
from tfrec.cli.demo.tables import Row, tales
from tfrec.cli.demo.tastes import Tastes, read_tastes, two_listeners
from tfrec.cli.output import Output
from tfrec.config import Config

RECOMMENDED, RECENT, NEAREST, FOUND, REACHED = 10, 5, 5, 5, 3
LONG_HISTORY = 20
QUERY = "a spaceship crew far from home"
TIMEOUT = 30.0  # seconds; the machine may be busy


class Story:
    """Asks a served model of the sample catalogue over gRPC; a context manager that closes the connection.

    Args:
        config: of the sample catalogue.
        pushed: the servable that is served.
        address: of the gRPC API.
        directory: the demo's folder.

    Attributes:
        listeners: the two users that are shown.
    """

    def __init__(self, config: Config, pushed: str, address: str, directory: str, output: Output):
        from tfrec.export.known_users import known_user_arrays
        from tfrec.export.loaded import LoadedServable
        from tfrec.serving import Client

        self.config, self.directory, self.output = config, directory, output
        self.folder = os.path.dirname(config.source)
        self.tastes: Tastes = read_tastes(self.folder)
        self.servable = LoadedServable(pushed)
        known = known_user_arrays(self.servable.module.users)
        self.histories = {
            user: [self.servable.ids[position] for position in history if position >= 0]
            for user, history in zip(known["ids"], known["history"])
        }
        self.listeners = two_listeners(self.tastes, self.histories, LONG_HISTORY)
        titles = dict(zip(self.servable.ids, self.servable.titles)) | self._new_titles()
        self.untitled = {item for item, title in titles.items() if not title}
        self.titles = {item: title or f"({item}, untitled)" for item, title in titles.items()}
        self.client = Client(address, config.model_name, timeout=TIMEOUT, titles=self.titles)

    def __enter__(self) -> Story:
        return self

    def __exit__(self, *exception: object) -> None:
        self.client.close()

    def tell(self, chapter: Callable[[Output, str, str], None]) -> dict[str, Any]:
        """Ask and show everything; return the answers for machines."""
        chapter(self.output, "Two listeners", "a star marks what they truly like; the model was never told")
        answers = {user: self._listener(user) for user in self.listeners}
        chapter(self.output, "A search", "by words, which need not be in the text")
        found = self._search(QUERY)
        best = min(answers[self.listeners[0]], key=lambda item: item in self.untitled)
        chapter(self.output, "Similar tales", "by all that is told, seen and heard; a star marks what they share")
        similar = self._similar(best)
        chapter(self.output, "Brand-new tales", "never seen in training; they have content and nothing else")
        return {"recommended": answers, "search": found, "similar": {best: similar}, "new": self._newcomers()}

    def _listener(self, user: str) -> list[str]:
        answer = self.client.recommend(user, k=RECOMMENDED)
        recent = self.histories[user][-RECENT:][::-1]
        self.output.show(f"[bold]{user}[/bold] likes {self.tastes.in_words(user)}.\n")
        self._show("heard lately", [Row("", item, self.titles[item], self.tastes.liked(user, item)) for item in recent])
        rows = [Row(str(item.rank), item.item_id, item.title, self.tastes.liked(user, item.item_id)) for item in answer]
        self._show(f"recommended to {user}", rows)
        matches, chance = self.tastes.matches(user, answer.item_ids), self.tastes.matches_at_random(user)
        showing = self.tastes.showing(user, answer.item_ids)
        self.output.say(f"{matches:.1f} of 6 traits fit on average; of tales drawn at random {chance:.1f} would.")
        if showing:
            self.output.tell(f"What shows most: {', '.join(showing)}.")
        self.output.say("")
        return answer.item_ids

    def _search(self, words: str, wanted: str = "") -> list[str]:
        """Search, and show the first items, and `wanted` too where it comes later."""
        answer = self.client.search(words, k=self.config.serving.k)
        rows = [
            Row(str(item.rank), item.item_id, f"{item.title} (new)" if item.item_id == wanted else item.title)
            for item in answer
        ]
        place = next((number for number, row in enumerate(rows) if row.item == wanted), 0)
        self.output.say(f"“{words}”")
        self._show("finds", rows[:FOUND] if place < FOUND else [*rows[: FOUND - 1], rows[place]])
        if wanted and wanted not in answer.item_ids:
            self.output.say(f"The new tale is not among the first {len(rows)}.")
        return answer.item_ids

    def _similar(self, item: str) -> list[str]:
        answer = self.client.similar(item, NEAREST)
        rows = [
            Row(str(near.rank), near.item_id, near.title, self.tastes.shared(item, near.item_id)) for near in answer
        ]
        self._show("what is most like it", [Row("", item, self.titles[item]), *rows])
        return answer.item_ids

    def _newcomers(self) -> dict[str, Any]:
        path = os.path.join(self.folder, "new_items", "new_items.csv")
        with self.output.progress() as progress:
            new = add_newcomers(self.servable, path, self.config.push_directory, self.directory, self.client, progress)
        ids = list(new.catalogue.ids)
        self.output.tell(
            f"{len(ids)} new tales were embedded from their content and written as version {new.version} in "
            f"{new.written_in:.1f} s. The server took it over {new.swapped_in:.1f} s later; all {new.answered} "
            "requests sent meanwhile were answered."
        )
        users = [user for user in self.histories if user in self.tastes.likes]
        reached = recommended_to(self.client, users, ids, RECOMMENDED)
        filled, places = sum(map(len, reached.values())), RECOMMENDED * len(users)
        self.output.tell(
            f"They are {len(ids) / (len(ids) + len(self.servable.ids)):.1%} of the catalogue now, and fill {filled:,} "
            f"of the {places:,} places ({filled / places:.1%}) in the first {RECOMMENDED} recommendations "
            f"of all {len(users):,} listeners."
        )
        self.output.say("")
        item = max(ids, key=lambda one: (len(reached[one]), one))
        text = new.catalogue.columns["text"][ids.index(item)]
        self.output.show(f"[bold]{item}[/bold]: {escape(text)}\n")
        similar = self._similar(item)
        self._show_reached(item, reached[item])
        self.output.tell("Somebody remembers how its story begins, and asks for")
        found = self._search(remembered_words(text), item)
        return {
            "version": new.version,
            "recommended_to": {one: len(places) for one, places in reached.items()},
            "shown": item,
            "similar": similar,
            "search": found,
        }

    def _show_reached(self, item: str, places: Sequence[tuple[int, str]]) -> None:
        if not places:
            return
        rows = [Row(user, item, f"place {rank}", self.tastes.liked(user, item)) for rank, user in places[:REACHED]]
        self._show(f"recommended to {len(places)} listeners", rows)

    def _show(self, heading: str, rows: Sequence[Row]) -> None:
        if not self.output.machine:
            self.output.show(tales(heading, rows, self.tastes, self.output.console.width))

    def _new_titles(self) -> dict[str, str]:
        with open(os.path.join(self.folder, "new_items", "new_items.csv"), encoding="utf-8", newline="") as file:
            return {row["item_id"]: row["title"] for row in csv.DictReader(file)}
