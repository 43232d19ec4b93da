"""Word lists for the story worlds: who a tale is about, where it happens and what goes on.

No list names a colour, a shape, an instrument's tone or a tempo: those belong to the picture and the sound alone.
In a plot, {place} is filled in; a hero is written with its article.
"""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class StoryWorld:
    """Who a tale can be about, where it happens, what is lost or found, what is done, and how it turns."""

    heroes: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]
    plots: tuple[str, ...]
    turns: tuple[str, ...]


def phrases(text: str) -> tuple[str, ...]:
    """The phrases of a list written with semicolons."""
    return tuple(part.strip() for part in text.split(";"))


WORLDS = {
    "space": StoryWorld(
        heroes=phrases(
            "a retired robot; a crew of three robots; a young astronaut; a cargo pilot; a stowaway on a rocket; "
            "an asteroid miner; a satellite mechanic; a stranded captain; a robot gardener; a starship cook"
        ),
        places=phrases(
            "the far side of the moon; an abandoned space station; a planet without a sun; the asteroid belt; "
            "the last rocket port; a drifting starship; a colony on Mars; the edge of the galaxy"
        ),
        things=phrases(
            "Antenna; Airlock; Robot; Comet; Rocket; Telescope; Orbit; Starship; Gravity Engine; Moon Map; Space Suit; "
            "Signal"
        ),
        plots=phrases(
            "repairs a broken starship near {place}; follows a radio signal to {place}; "
            "races a comet to {place} to save a robot; maps {place} with a talking computer; "
            "smuggles a garden aboard a rocket bound for {place}; is left behind at {place} with one oxygen tank; "
            "teaches an old robot to dream of {place}; answers a distress call from {place}"
        ),
        turns=phrases(
            "An alien voice answers on the radio; The robots vote on what to do next; Gravity stops working at supper; "
            "Earth is only a small dot behind them now; The ship's computer has been keeping a secret; "
            "Outside, the stars are not where the charts say"
        ),
    ),
    "sea": StoryWorld(
        heroes=phrases(
            "a lighthouse keeper; a pearl diver; a ferry captain; a shipwrecked sailor; a young whale; "
            "a submarine engineer; two fishermen; a smuggler's daughter; a seal who collects hats; a harbour pilot"
        ),
        places=phrases(
            "the coral reef; a sunken city; the harbour mouth; an island that is on no chart; the deep trench; "
            "the old lighthouse; a fishing village; the kelp beds"
        ),
        things=phrases(
            "Anchor; Lighthouse; Compass; Oyster; Submarine; Whale; Harbour; Message in a Bottle; Coral Crown; Net; "
            "Ferry; Shipwreck"
        ),
        plots=phrases(
            "dives for a lost anchor off {place}; sails through the fog to {place}; befriends a whale near {place}; "
            "guards a shipwreck below {place}; finds a message in a bottle from {place}; "
            "hides a stranded octopus at {place}; rows home from {place} without a compass; "
            "guides the last ferry past {place}"
        ),
        turns=phrases(
            "Something very large swims under the boat; The tide brings back more than it took; "
            "The gulls fall silent all at once; Salt water has got into the map; The whales remember every promise; "
            "By morning the boat is full of fish"
        ),
    ),
    "kitchen": StoryWorld(
        heroes=phrases(
            "a night-shift baker; a noodle cook; a very small chef; two rival pastry makers; a stubborn grandmother; "
            "a dishwasher with a gift; an apprentice cook; a soup critic; a cheese thief; a travelling jam seller"
        ),
        places=phrases(
            "a noodle bar by the station; the palace kitchen; a village bakery; a market stall; the school canteen; "
            "a dumpling house; the back of a food truck; a cellar full of cheese"
        ),
        things=phrases(
            "Soup; Dumpling; Recipe; Rolling Pin; Sourdough; Pancake; Pickle Jar; Spice Box; Teapot; Birthday Cake; "
            "Noodle; Ladle"
        ),
        plots=phrases(
            "invents a soup that feeds everyone at {place}; loses the family recipe at {place}; "
            "bakes all night to save {place}; enters a dumpling contest at {place}; "
            "cooks one last supper at {place}; hunts for a missing spice in {place}; "
            "learns to knead bread at {place}; serves a mysterious guest at {place}"
        ),
        turns=phrases(
            "The dough rises and does not stop; Somebody has swapped the salt and the sugar; "
            "The whole street can smell the butter; One taste brings back a childhood; The oven has opinions; "
            "There is one plate too many on the table"
        ),
    ),
    "forest": StoryWorld(
        heroes=phrases(
            "a fox with a limp; an owl who is afraid of the dark; a hedgehog postman; a bear in a borrowed coat; "
            "two badgers; a mushroom picker; a squirrel with no memory; a young deer; a mole who wants to fly; "
            "a woodcutter's cat"
        ),
        places=phrases(
            "the oldest oak; the mossy hollow; a clearing nobody owns; the beaver dam; the fern valley; "
            "the edge of the pine wood; a burrow under the roots; the mushroom meadow"
        ),
        things=phrases("Acorn; Burrow; Oak; Hedgehog; Mushroom; Fox; Nest; Feather; Bramble; Owl; Winter Store; Fern"),
        plots=phrases(
            "carries an acorn to {place}; looks for a warm burrow near {place}; holds a council of animals at {place}; "
            "plants a forest where {place} used to be; leads the rabbits safely past {place}; "
            "wakes from winter sleep at {place}; delivers a letter to the animals of {place}; "
            "shares a single chestnut with strangers at {place}"
        ),
        turns=phrases(
            "The trees lean in to listen; Even the wolves keep the truce; The first leaf of autumn comes down; "
            "A woodpecker knocks out the news; Under the moss, something stirs; The rabbits have seen it all before"
        ),
    ),
    "mystery": StoryWorld(
        heroes=phrases(
            "a short-sighted detective; a retired inspector; a schoolgirl sleuth; a careful thief; a nosy librarian; "
            "a postman who reads envelopes; a hotel porter; a lawyer without clients; a crossword setter; "
            "a police dog"
        ),
        places=phrases(
            "the Grand Hotel; a locked library; the auction house; apartment number nine; the museum of clocks; "
            "the town hall archive; an empty theatre; a country house"
        ),
        things=phrases(
            "Alibi; Missing Letter; Key; Fingerprint; Locked Room; Witness; Diamond; Ledger; Suitcase; Cipher; "
            "Confession; Umbrella"
        ),
        plots=phrases(
            "solves a theft at {place}; finds a coded letter in {place}; follows the wrong suspect to {place}; "
            "questions seven witnesses in {place}; must prove an alibi at {place}; "
            "searches {place} for a stolen diamond; opens the locked room in {place}; "
            "notices what everyone missed at {place}"
        ),
        turns=phrases(
            "Every clue points to the victim; One of the guests is lying; The handwriting matches nobody; "
            "The butler, for once, has an alibi; A second key turns up; The detective has met the thief before"
        ),
    ),
    "haunted": StoryWorld(
        heroes=phrases(
            "a polite ghost; a boy who can see spirits; the last tenant; a sceptical plumber; a bashful ghost; "
            "two sisters in an old house; a night watchman; a medium without talent; a vampire on a diet; "
            "a skeleton in a cupboard"
        ),
        places=phrases(
            "the attic; an empty mansion; the old cemetery; the cellar stairs; room thirteen; a ruined abbey; "
            "the nursery; the house at the end of the lane"
        ),
        things=phrases(
            "Ghost; Attic; Cupboard; Candle; Séance; Mirror; Crypt; Cellar Door; Phantom; Will; Cobweb; Tombstone"
        ),
        plots=phrases(
            "moves into {place} and is not alone; hears footsteps in {place}; "
            "tries to evict the ghosts of {place}; holds a séance in {place}; spends a night in {place} for a bet; "
            "finds a diary that was written tomorrow in {place}; befriends the spirit of {place}; "
            "buries something at {place} that will not stay buried"
        ),
        turns=phrases(
            "The mirror is a second late; Somebody has set the table for the dead; The candles go out one by one; "
            "A cold hand straightens the blanket; The ghosts, it turns out, are frightened too; "
            "The portrait was looking the other way yesterday"
        ),
    ),
    "mountain": StoryWorld(
        heroes=phrases(
            "a mountain guide; a climber who has lost a rope; a rescue dog; a goat herder; two rival alpinists; "
            "a hut warden; a snowbound doctor; a mule driver; a girl on skis; an old porter"
        ),
        places=phrases(
            "the north face; a hut above the clouds; the glacier; the high pass; a frozen lake; the summit; "
            "an avalanche slope; the goat pasture"
        ),
        things=phrases(
            "Rope; Glacier; Summit; Avalanche; Snowshoe; Ice Axe; Cable Car; Hut; Ledge; Goat; Blizzard; Tent"
        ),
        plots=phrases(
            "climbs to {place} without oxygen; waits out a blizzard at {place}; seeks a lost skier near {place}; "
            "leads a stubborn goat over {place}; carries the mail to {place}; "
            "pitches a tent on {place}; reaches {place} a day too early; brings medicine across {place}"
        ),
        turns=phrases(
            "The rope begins to fray; Snow erases every footprint; The clouds open for a single minute; "
            "Somewhere above, the ice cracks; Only the goat knows the way down; The summit book already has their names"
        ),
    ),
    "music": StoryWorld(
        heroes=phrases(
            "a piano teacher; a street singer; a choir of night nurses; a violin maker; a jazz trio; "
            "a conductor without an orchestra; a busker in the rain; a piano tuner; a shy composer; an opera understudy"
        ),
        places=phrases(
            "a rainy city square; the concert hall; a café under the arches; a jazz cellar; the conservatory; "
            "a flooded theatre; the record shop; a recording studio"
        ),
        things=phrases(
            "Piano; Melody; Nocturne; Violin; Encore; Song; Rehearsal; Lullaby; Record; Duet; Choir; Concert"
        ),
        plots=phrases(
            "plays the piano in the rain outside {place}; rehearses a forgotten song in {place}; "
            "writes a melody for the strangers in {place}; loses a concert ticket near {place}; "
            "sings one last duet at {place}; tunes a piano that was left in {place}; "
            "records the rain at {place}; gives a concert for nobody in {place}"
        ),
        turns=phrases(
            "The rain keeps time on the roof; A neighbour joins in through the wall; One note is missing; "
            "The audience forgets to clap; The song has been in the family for years; Umbrellas open in harmony"
        ),
    ),
    "railway": StoryWorld(
        heroes=phrases(
            "a night-train conductor; a station master; a runaway on the express; an engine driver; "
            "a sleeping-car attendant; a ticket collector; two strangers in a compartment; a railway signalman; "
            "a lost-luggage clerk; a child with a train timetable"
        ),
        places=phrases(
            "the border station; the dining car; platform six; a tunnel under the hills; the terminus; "
            "the signal box; a branch line nobody uses; the sleeping car"
        ),
        things=phrases(
            "Timetable; Night Train; Ticket; Locomotive; Platform; Luggage; Junction; Dining Car; Waiting Room; "
            "Signal Box; Tunnel; Last Carriage"
        ),
        plots=phrases(
            "misses the last train at {place}; shares a compartment on the way to {place}; "
            "drives a steam locomotive to {place}; finds a suitcase without an owner at {place}; "
            "switches the points near {place}; buys a one-way ticket to {place}; "
            "waits for a train that never comes to {place}; serves breakfast to passengers at {place}"
        ),
        turns=phrases(
            "The train stops where there is no station; The conductor knows every passenger by name; "
            "Somebody has pulled the emergency brake; The timetable lists one more stop; "
            "Through the window, the same village passes twice; The next carriage is missing"
        ),
    ),
    "desert": StoryWorld(
        heroes=phrases(
            "a camel driver; a water diviner; a caravan cook; a map maker; a lost archaeologist; a nomad girl; "
            "a sand surveyor; a trader of salt; an oasis keeper; a desert fox hunter who hunts nothing"
        ),
        places=phrases(
            "a buried temple; the oasis; the salt flats; a caravan camp; the well of seven ropes; a city of sand; "
            "the long dunes; a dry river bed"
        ),
        things=phrases(
            "Oasis; Camel; Caravan; Mirage; Dune; Well; Sandstorm; Water Jar; Pyramid; Scorpion; Carpet; Salt Road"
        ),
        plots=phrases(
            "crosses the dunes to reach {place}; digs for water at {place}; trades salt for stories at {place}; "
            "follows a mirage to {place}; uncovers an ancient tomb in {place}; "
            "shelters from a sandstorm in {place}; leads a thirsty caravan to {place}; "
            "bargains with a camel at {place}"
        ),
        turns=phrases(
            "The wind moves the map overnight; The camels refuse to go on; At noon the well begins to speak; "
            "Footprints lead in and none lead out; Water is worth more than gold here; "
            "The sand gives back an ancient door"
        ),
    ),
}
