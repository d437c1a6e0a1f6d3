"""Prompts of a wanted length for measurements at a depth."""

import random

from drive.engine import text_item

WORDS = ("wind tide rope plank shed paint frost brother harbour crane seam mast ladder kettle "
         "chart lantern nail winter ferry letter").split()


def long_text(seed, words):
    """Plain sentences without sense; neighbours differ and nothing repeats for long."""
    rng = random.Random(seed)
    out = []
    for number in range(words):
        word = rng.choice(WORDS) if number % 9 else str(rng.randint(2, 999))
        out.append(word + ("." if number % 13 == 12 else ""))
    return " ".join(out)


def prompt_of(engine, tokens, seed=1):
    """Items whose prompt has `tokens` tokens or a few less; a longer one begins with it. 0: the
    shortest there is."""
    if tokens == 0:
        return [text_item("user", "Go on.")]
    words = long_text(seed, tokens + 16).split(" ")

    def items(count):
        return [text_item("user", " ".join(words[:count]))]

    least, most = 1, len(words)
    while most - least > 1:
        middle = (least + most) // 2
        if engine.count(items(middle)) <= tokens:
            least = middle
        else:
            most = middle
    return items(least)
