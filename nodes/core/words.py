"""The demo model's vocabulary, and how a prompt is split into words."""

import re
from collections.abc import Mapping

SCENES: dict[str, tuple] = {
    # word: (zenith, horizon, ground, clouds, accent), and where they differ: spectral slope, width to height
    "sky": ("2f6fc4 a9d3f2 35617f fbf6ee 6fa6e0",),
    "day": ("2a78d0 b4dcf5 4a7a4c ffffff f4e3b0",),
    "cloud": ("4a7fc0 c8dcee 4d6b86 ffffff 9fb4cc", 0.0, 0.9),
    "cumulus": ("3a78c6 bcd8ee 3f6a5c ffffff 8fa9c4", 0.05, 0.75),
    "calm": ("4a8ec6 d6e4ea 4a7688 f8efe2 a8c8dc", 0.1, 1.5),
    "dawn": ("4a5aa4 f7b38a 4a3a58 ffd9c0 e07a98", 0.0, 1.3),
    "sunrise": ("4870b8 ffb85e 5a3c3c ffe4a8 f07a58", 0.0, 1.3),
    "morning": ("5a9ad4 f6dcb0 4c6e58 fff4dc f0b890",),
    "sunset": ("3c3c8c ff8a3c 3a2038 ffc46a d8405c", 0.0, 1.4),
    "dusk": ("2c2c68 c46a8c 201c38 f0a0a8 6a4aa0", 0.0, 1.4),
    "twilight": ("1c2464 8a5aa8 181830 d890c0 4a70c8", 0.0, 1.3),
    "evening": ("34448c e89c70 2c2440 ffcf9c a05890", 0.0, 1.3),
    "night": ("060c24 1c3468 04060e 5a78b8 3a2a78",),
    "midnight": ("04081c 142450 020408 4a60a8 301c60",),
    "star": ("080a24 24306c 060818 c8d4ff 6a4ab0", -0.15, 0.8),
    "moon": ("0c1434 40588c 0a1020 e8ecf4 6080c0",),
    "storm": ("1c2634 6a7c88 161e28 c4d0d4 2c4a68", -0.05, 1.0),
    "thunder": ("181c30 5c6488 10121e d0d4ec 4c3c78", -0.05, 0.9),
    "lightning": ("141a3c 6c78c0 0c0e20 e4e4ff 7a50c8", -0.1, 0.7),
    "rain": ("3c4c5c 94a8b4 2a3840 ccd8dc 5a7a90", 0.0, 0.7),
    "ocean": ("2c78b4 a8dce0 04304c e8f8f4 10889c", 0.0, 1.7),
    "sea": ("3480b8 b0dce0 0a4060 f0faf4 1c98a4", 0.0, 1.7),
    "wave": ("2c80b0 a4e0dc 06485c f4fffc 109090", 0.0, 1.9),
    "water": ("3c88b8 b4dce8 0c4c68 ecf8fc 28a0b0", 0.0, 1.8),
    "lake": ("3c7cb8 bcd8e0 1c4c54 f0f4f0 48908c", 0.0, 1.8),
    "underwater": ("1494a4 0c6484 041c34 8cf0dc 1840a0", 0.05, 1.0),
    "coral": ("1c8cac 58c4c0 a83c50 ffa48c e05c9c", -0.1, 0.9),
    "forest": ("5c9488 b8d4a0 142c14 8cc060 d8b848", -0.15, 0.7),
    "jungle": ("3c8478 98cc80 0c2410 74c048 e0c030", -0.15, 0.7),
    "meadow": ("4c94d0 cce4c0 3c7824 a8d858 f4d850", -0.1, 1.4),
    "grass": ("5098d0 d0e8b4 387420 98d048 e0d058", -0.1, 1.2),
    "spring": ("64a8e0 e8e8d0 4c8c3c ffc4d8 90d478", -0.05, 0.9),
    "summer": ("1c7cd8 b4e0f0 5c8c2c fff4c8 ffc840",),
    "autumn": ("7090b0 f0c888 5c2c10 f09030 b83020", -0.1, 0.8),
    "winter": ("7090b8 dce4ec b4c4d4 ffffff 90a8d8", 0.0, 1.2),
    "snow": ("6c94c4 dce8f0 c8d8e8 ffffff 98b4e0", 0.05, 1.2),
    "ice": ("4c94c8 c4ecf4 78b4d0 f4ffff 68d4e0", -0.05, 0.9),
    "frost": ("6ca4cc d4ecf4 98bcd0 fcffff a0c0f0", -0.1, 0.9),
    "aurora": ("061438 14685c 081828 48f4a0 9040d8", 0.1, 0.55),
    "nebula": ("140828 58206c 0c0820 f070b8 3080e0", 0.0, 0.8),
    "galaxy": ("080618 382868 060412 d8b8f0 c85890", -0.05, 0.9),
    "space": ("04040e 18204c 020208 8894d8 70389c", -0.1, 0.9),
    "cosmos": ("060416 301c5c 04040e c890e8 2c88c8", -0.05, 0.9),
    "fire": ("2c0c08 d84810 180404 ffc040 b01008", -0.05, 0.55),
    "flame": ("380c04 e85810 1c0402 ffd050 c81808", -0.05, 0.55),
    "lava": ("1c0808 a82808 0c0202 ff8018 d81000", 0.0, 1.1),
    "volcano": ("2c1c20 a43820 140808 ff7028 6c4c50", 0.0, 0.8),
    "ember": ("1c0c10 9c3818 0c0404 ffa048 701820", -0.1, 0.8),
    "smoke": ("40424c 8c8c94 242428 d4d0cc 6c6470", 0.1, 0.7),
    "desert": ("4c94cc f4d8a4 a86838 ffe8b8 d88850", 0.05, 1.8),
    "sand": ("6ca4c8 f4dcac b88850 fff0c8 d8a060", 0.05, 1.9),
    "dune": ("4c8cc4 f4cc90 a05c2c ffe0a8 c87840", 0.1, 1.9),
    "canyon": ("4888c4 f0b888 8c3c20 f8c098 c05838", -0.1, 1.6),
    "mountain": ("3c74b4 bcd0e0 2c3c4c f4f4f4 607c98", -0.1, 0.9),
    "mist": ("8ca4b0 dce0dc 5c7070 f8f4ec a4bcc0", 0.2, 1.8),
    "fog": ("98a4ac d4d8d8 687478 f4f4f0 acb8c0", 0.2, 1.8),
    "gold": ("a86c20 fcd878 482808 ffe898 d08820",),
    "golden": ("8c6840 ffcc68 4c2c10 ffe4a0 e08c38",),
    "rose": ("9c5888 fcbcc0 542840 ffd8d4 e86088",),
    "neon": ("10083c b418a8 080420 28f0f0 f83090", -0.1, 0.8),
    "cyberpunk": ("0c1040 a828a0 060818 30e0e8 f04898", -0.1, 0.8),
    "city": ("2c3c6c d8a078 181c2c f4d8a8 5870a8", -0.15, 0.8),
    "dream": ("7c78d0 f8c8e0 5c5090 fff0f8 88d0f0", 0.1, 1.1),
    "pastel": ("98b8e8 f8d8e0 a8c8b8 fff8f0 d8b8f0", 0.1, 1.1),
    "candy": ("60c0e8 ffb8d8 b04890 fff0c8 f060a8",),
    "rainbow": ("3858d8 f8e068 30a058 ff6858 c048d8", 0.0, 1.4),
    "cherry": ("7cb4e4 fce0e8 6c3848 ffb0cc d04078", -0.1, 0.8),
    "blossom": ("80b8e8 fce4e8 587848 ffc0d8 e87098", -0.1, 0.8),
    "flower": ("5ca0e0 e8f0d0 387428 ff88b8 f8d040", -0.15, 0.8),
    "lavender": ("6c68b8 d8c0e8 483870 e8d0f8 9858c8", 0.0, 1.3),
    "dark": ("0c1018 28303c 06080c 788494 303848",),
    "light": ("a0c8f0 fcf0dc b8b8a0 ffffff f8e0a8",),
    "sun": ("3c88d8 ffe09c 6c6430 fff8d8 ffb040",),
    "heaven": ("5c98e0 fff0d0 a0a8b8 ffffff ffd890", 0.1, 1.0),
    "abyss": ("041c34 06384c 020810 28a8a8 281860", 0.05, 0.9),
    "toxic": ("142410 588c18 080f04 c8f838 30a860",),
    "steampunk": ("483828 c08c50 201408 f0c888 607868",),
}

COLOURS: dict[str, str] = {
    "red": "e02020", "crimson": "c0143c", "scarlet": "ff2818", "maroon": "801020", "pink": "ff90c0",
    "magenta": "f020c0", "fuchsia": "f030d0", "purple": "8030c0", "violet": "9048f0", "indigo": "4020a0",
    "blue": "2060f0", "navy": "102070", "azure": "3090ff", "cyan": "20d8e8", "turquoise": "30d0c0",
    "teal": "108888", "aqua": "30e0e0", "green": "20b048", "lime": "90e020", "emerald": "10a868",
    "mint": "90f0c0", "olive": "808820", "yellow": "f8e030", "amber": "ffb818", "orange": "ff8018",
    "brown": "845028", "copper": "c87840", "bronze": "b08038", "ochre": "c88828", "salmon": "ff8c78",
    "peach": "ffc098", "beige": "e8dcb8", "ivory": "fcf8e8", "cream": "fff0d0", "white": "ffffff",
    "silver": "c0c8d0", "gray": "808488", "grey": "808488", "black": "080808", "lilac": "c8a0e0",
    "plum": "903080", "khaki": "c8b878", "ruby": "d01848", "sapphire": "1848c0", "jade": "20a878",
}  # fmt: skip

STOP_WORDS = frozenset(
    "a an and as at by for from in into is it its of off on or over the through to under up very with without".split()  # noqa: SIM905
)

BELOW = frozenset(["over", "above", "on"])
"""What follows these is the ground, until the next comma."""

_PIECES = re.compile(r"\\.|\(|:\s*(-?\d*\.?\d+)\s*\)|\)|[,;.!?\n]|[^\W\d_]+(?:['’][^\W\d_]+)*")


def weighted_words(text: str) -> list[tuple[str, float, bool]]:
    r"""Words of a prompt, lower case, with their weights, and whether they stand for what is below.

    `(word:1.3)` weighs 1.3, `(word)` 1.1, nested ones multiply. Never fails: unbalanced parentheses are read as far as
    they go, and `\(` is no weight.
    """
    words: list[tuple[str, float, bool]] = []
    starts: list[int] = []
    below = False
    for match in _PIECES.finditer(text.lower()):
        piece = match[0]
        if piece == "(":
            starts.append(len(words))
        elif piece.startswith("\\"):
            continue
        elif piece.endswith(")"):
            if starts:
                factor = 1.1 if match[1] is None else min(max(float(match[1]), 0.0), 10.0)
                start = starts.pop()
                words[start:] = [(word, weight * factor, under) for word, weight, under in words[start:]]
        elif piece in ",;.!?\n":
            below = False
        else:
            below = below or piece in BELOW
            words.append((piece, 1.0, below))
    return words


def known_form(word: str, table: Mapping[str, object]) -> str | None:
    """The word as the table has it, without an ending if need be."""
    for ending in ("", "s", "es", "y", "ing"):
        if word.removesuffix(ending) in table:
            return word.removesuffix(ending)
    return None
