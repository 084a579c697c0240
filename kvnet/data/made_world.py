"""An invented world of films, people and places: a knowledge base that needs no file.

Nothing in it is true, so nothing about it can be known from elsewhere.
"""

from collections.abc import Sequence

from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import Questions
from kvnet.data.simulator.dice import Dice
from kvnet.data.templates import Template, questions_of_templates, templates_of

FACTS = 10_000
FACTS_PER_FILM = 8.8  # those of its people and places included
STARS = 3
PLACES_PER_COUNTRY = 12
YEARS = range(1930, 2025)
GENRES = (
    "Comedy",
    "Drama",
    "Fable",
    "Farce",
    "Musical",
    "Mystery",
    "Romance",
    "Thriller",
    "Western",
)

SENTENCES = {
    "directed_by": [
        "who directed []",
        "who is the director of []",
        "which person directed the film []",
        "[] was directed by whom",
        "name the director of the film []",
        "by whom was the film [] directed",
        "who was behind the camera of []",
    ],
    "written_by": [
        "who wrote []",
        "who is the writer of []",
        "which person wrote the film []",
        "[] was written by whom",
        "name the writer of the film []",
        "by whom was the film [] written",
        "whose script is []",
    ],
    "starring": [
        "who stars in []",
        "which actors are in []",
        "who acted in the film []",
        "name the actors of []",
        "which people act in the film []",
        "who are the stars of the film []",
        "name the cast of []",
        "who are the stars in []",
        "name the stars of the film []",
    ],
    "released_in": [
        "when was [] released",
        "in which year was the film [] released",
        "what is the year of []",
        "in which year did [] come out",
        "when did the film [] come out",
        "name the year of the film []",
    ],
    "genre": [
        "which genre is []",
        "what is the genre of the film []",
        "what kind of film is []",
        "name the genre of []",
        "which kind of film is []",
        "to which genre does [] belong",
    ],
    "filmed_in": [
        "where was [] filmed",
        "in which town was [] shot",
        "where was the film [] shot",
        "in which place was the film [] filmed",
        "name the town in which [] was filmed",
        "which place was [] shot in",
    ],
    "born_in": [
        "where was [] born",
        "what is the birthplace of []",
        "in which town was [] born",
        "name the birthplace of []",
        "which town is the birthplace of []",
        "which town does [] come from",
    ],
    "located_in": [
        "which country is [] in",
        "in which country is the town []",
        "what country does the town [] belong to",
        "name the country of the town []",
        "to which country does [] belong",
        "which country is the town of [] in",
        "[] is in which country",
        "name the country that [] is in",
        "in which country is []",
    ],
    "^directed_by": [
        "which films did [] direct",
        "what was directed by []",
        "name the films directed by []",
        "[] is the director of which films",
        "which films were directed by []",
        "[] directed which films",
    ],
    "^written_by": [
        "which films did [] write",
        "what was written by []",
        "name the films written by []",
        "[] is the writer of which films",
        "which films were written by []",
        "[] wrote which films",
    ],
    "^starring": [
        "which films star []",
        "what did [] act in",
        "in which films does [] star",
        "in which films does [] act",
        "name the films that star []",
        "[] is an actor in which films",
        "in which films can [] be seen",
    ],
    "^filmed_in": [
        "which films were shot in []",
        "what was filmed in []",
        "which films were filmed in []",
        "name the films shot in []",
        "what was shot in []",
    ],
    "^born_in": [
        "who was born in []",
        "which people come from []",
        "[] is the birthplace of whom",
        "which people were born in []",
        "name the people born in []",
    ],
    "^located_in": [
        "which towns are in []",
        "name the towns of the country []",
        "which towns does the country [] have",
        "name the towns in []",
        "which towns belong to []",
        "name all towns in []",
        "which are the towns in []",
        "which towns are in the country []",
    ],
    "directed_by/^directed_by": [
        "which films have the same director as []",
        "what else did the director of [] direct",
        "name other films by the director of []",
        "which other films did the director of [] direct",
        "name films that have the same director as []",
        "what other films did the director of [] direct",
        "which films are by the director of []",
    ],
    "^starring/starring": [
        "who acted together with []",
        "who are the co-stars of []",
        "with whom did [] act",
        "which people acted together with []",
        "name the co-stars of []",
    ],
    "^directed_by/genre": [
        "what genres are the films directed by []",
        "what kinds of film did [] direct",
        "which genres did [] direct",
        "what genres are the films that [] directed",
        "which kinds of film did [] direct",
    ],
    "^directed_by/starring": [
        "who stars in the films directed by []",
        "which actors worked for the director []",
        "who stars in films by the director []",
        "which actors are in the films directed by []",
        "who acted in the films directed by []",
    ],
    "^starring/directed_by": [
        "who directed the films that star []",
        "for which directors did [] act",
        "who directed films that star []",
        "which people directed the films that star []",
        "for which directors does [] star",
    ],
    "directed_by/born_in": [
        "where was the director of [] born",
        "what is the birthplace of the director of []",
        "in which town was the director of [] born",
        "name the birthplace of the director of []",
        "which town is the birthplace of the director of []",
        "which town does the director of [] come from",
        "name the town in which the director of [] was born",
        "the birthplace of the director of [] is which town",
    ],
    "filmed_in/located_in": [
        "in which country was [] filmed",
        "which country was [] shot in",
        "in which country was the film [] shot",
        "name the country in which [] was filmed",
        "in which country was the film [] filmed",
    ],
    "born_in/located_in": [
        "in which country was [] born",
        "which country does [] come from",
        "name the country in which [] was born",
        "which country is [] from",
        "which country was [] born in",
        "[] is from which country",
        "name the country that [] is from",
        "in which country is the birthplace of []",
    ],
    "directed_by/^directed_by/genre": [
        "what genres are the films that share a director with []",
        "which kinds of film did the director of [] make besides",
        "which genres are the films that share a director with []",
        "what kinds of film share a director with []",
        "what genres did the director of [] make besides",
    ],
    "directed_by/^directed_by/starring": [
        "who stars in the other films of the director of []",
        "which actors are in films that share a director with []",
        "who stars in films that share a director with []",
        "which actors star in the other films of the director of []",
        "who acted in films that share a director with []",
    ],
    "written_by/^written_by/released_in": [
        "when were the other films of the writer of [] released",
        "in which years did films that share a writer with [] come out",
        "when were films that share a writer with [] released",
        "in which years were the other films of the writer of [] released",
        "when did films that share a writer with [] come out",
        "when did the other films of the writer of [] come out",
        "name the years of the other films of the writer of []",
        "in which years were other films of the writer of [] released",
    ],
    "directed_by/born_in/located_in": [
        "in which country was the director of [] born",
        "which country does the director of [] come from",
        "name the country in which the director of [] was born",
        "which country is the director of [] from",
        "in which country is the birthplace of the director of []",
    ],
    "^starring/filmed_in/located_in": [
        "in which countries were the films with [] shot",
        "which countries did [] act in",
        "in which countries were the films that star [] shot",
        "in which countries did [] star",
        "in which countries were films with [] filmed",
    ],
}
"""Sentences by chain of relations, as in a template file."""


def _words(text):
    return text.split()


FIRST_NAMES = _words(
    "Ada Alwin Berta Bruno Cora Conrad Dora Dario Edda Emil Fanny Felix Gerda Gustav Hedda Hugo "
    "Ilse Ivo Jana Jonas Karla Klaus Lena Lorenz Mara Milan Nora Nils Olga Oscar Paula Piet "
    "Rosa Ruben Selma Stefan Tilda Tomas Ulla Urban Vera Viktor Wanda Werner Xenia Yorick Zita "
    "Zoltan"
)
SYLLABLES = _words("bar cal den far gol har kel lor mon nor pel ros sel tor ven wil")
ENDINGS = _words("ando berg court dale er field hurst ing low man ner ova rick stein ton wood")
PLACE_ENDINGS = _words("borough burg by caster ford ham haven mouth stad stow thwaite wick")
COUNTRY_ENDINGS = _words("avia enia istan land mark onia")
ADJECTIVES = _words(
    "Amber Bitter Borrowed Broken Crimson Distant Empty Endless Fallen Faithful Foreign Frozen "
    "Gentle Golden Hidden Hollow Idle Iron Last Little Lonely Lost Midnight Narrow Northern "
    "Painted Paper Patient Quiet Restless Sacred Scarlet Secret Silent Silver Sleeping Stolen "
    "Sunken Velvet Winter"
)
NOUNS = _words(
    "Anchor Arrow Balcony Bell Bridge Candle Carriage Clock Coat Crown Curtain Door Feather "
    "Fence Fiddle Garden Glove Harbour Island Key Ladder Lantern Letter Lighthouse Mirror "
    "Needle Orchard Piano Promise River Road Saddle Shadow Staircase Station Stranger Summer "
    "Tower Train Window"
)


def made_world(facts: int = FACTS, random_state: int = 0) -> KnowledgeBase:
    """Invent a base of films, people and places.

    Parameters
    ----------
    facts : int, default=10,000
        About how many, from 100.
    random_state : int

    Returns
    -------
    base : KnowledgeBase
        With 8 relations; the same for the same parameters.
    """
    dice = Dice(f"made world {random_state}")
    films = max(2, round(facts / FACTS_PER_FILM))
    titles = _names(dice, films, lambda: _title(dice))
    people = _names(
        dice,
        max(2 * STARS, films * 7 // 10),
        lambda: f"{dice.pick(FIRST_NAMES)} {_word(dice, ENDINGS)}",
    )
    places = _names(dice, max(4, films // 10), lambda: _word(dice, PLACE_ENDINGS))
    countries = _names(
        dice, max(2, len(places) // PLACES_PER_COUNTRY), lambda: _word(dice, COUNTRY_ENDINGS)
    )
    directors, writers = (
        [person for person in people if dice.chance(1 / 4)] or people for _ in range(2)
    )
    rows = []
    for title in titles:
        rows.append((title, "directed_by", dice.pick(directors)))
        rows.append((title, "written_by", dice.pick(writers)))
        rows += [(title, "starring", person) for person in dice.sample(people, STARS)]
        rows.append((title, "released_in", str(dice.pick(YEARS))))
        rows.append((title, "genre", dice.pick(GENRES)))
        rows.append((title, "filmed_in", dice.pick(places)))
    rows += [(person, "born_in", dice.pick(places)) for person in people]
    rows += [(place, "located_in", dice.pick(countries)) for place in places]
    return KnowledgeBase.of_facts(rows)


def made_templates(base: KnowledgeBase) -> list[Template]:
    """Return the sentences that ask about an invented world."""
    return templates_of(SENTENCES, base)


def made_questions(
    base: KnowledgeBase,
    most: int = 30_000,
    random_state: int = 0,
    hops: Sequence[int] = (1, 2, 3),
) -> dict[str, Questions]:
    """Return questions of one to three hops about an invented world.

    Parameters
    ----------
    base : KnowledgeBase
        From `made_world`.
    most : int, default=30,000
        Training questions.
    random_state : int
    hops : sequence of int
        The numbers of hops to ask about.

    Returns
    -------
    questions : dict of str to Questions
        As `questions_of_templates` returns them.
    """
    templates = [each for each in made_templates(base) if len(each.path) in hops]
    return questions_of_templates(base, templates, most, random_state)


def _names(dice, count, invent):
    """Return different names; a name that is drawn again gets a number."""
    names, seen = [], {}
    for _ in range(count):
        name = invent()
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return names


def _title(dice):
    if dice.chance(1 / 2):
        return f"The {dice.pick(ADJECTIVES)} {dice.pick(NOUNS)}"
    return f"{dice.pick(NOUNS)} of {_word(dice, PLACE_ENDINGS)}"


def _word(dice, endings):
    return (dice.pick(SYLLABLES) + dice.pick(("", *SYLLABLES)) + dice.pick(endings)).capitalize()
