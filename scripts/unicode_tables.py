#!/usr/bin/env python3
"""Print the Unicode property tables of the text engine as C++, made from Debian's package unicode-data.

One 16-bit word of properties for each code point, in two stages: kBlockOf[code point / 128] names a block of 128 words
in kWords; equal blocks are stored once. The bits are named in extension/core/text/unicode.hpp, which this file follows.
Then the pairs that NFC composes, and the emoji sequences of more than one code point that X counts as one, as a minimal automaton.
"""
import pathlib
import re

UNICODE = pathlib.Path("/usr/share/unicode")
BLOCK = 128
SIZE = 0x110000

GRAPHEME_BREAK = ["Other", "CR", "LF", "Control", "Extend", "ZWJ", "Regional_Indicator", "Prepend", "SpacingMark",
                  "L", "V", "T", "LV", "LVT"]
PICTOGRAPHIC = 1 << 4
CONJUNCT_CONSONANT, CONJUNCT_EXTEND, CONJUNCT_LINKER = 1 << 5, 2 << 5, 3 << 5
NFC_OPEN = 1 << 7
X_TAG_LETTER = 1 << 8
X_TAG_OTHER = 1 << 9
WORD = 1 << 10
PUNCTUATION = 1 << 11
EMOJI_START = 1 << 12
COMBINING = 1 << 13
X_HEAVY = 1 << 14
PLAIN = 1 << 15

# X weighs characters of these ranges 1, all others 2.
X_LIGHT = [(0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037)]

# X's tag characters are those of Unicode 7.0, later letters that differ from one of those in case alone, and these signs.
X_AGE = (7, 0)
X_TAG_SIGNS = "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
# It also takes these signs of private use for letters, once drawn by one vendor's fonts.
X_TAG_PRIVATE = [(0xF870, 0xF87F), (0xF882, 0xF882), (0xF884, 0xF89F), (0xF8B8, 0xF8B8), (0xF8C1, 0xF8D6)]

# X's emoji are those of Emoji 11.0; it also knows these two of later versions, and not those.
X_EMOJI = 11.0
X_EMOJI_LATER = [((0x1F935,) + tone + (0x200D, sign, 0xFE0F)) for sign in (0x2640, 0x2642)
                 for tone in [()] + [(t,) for t in range(0x1F3FB, 0x1F400)]]
X_EMOJI_OTHER = [(0x1F441, 0x200D, 0x1F5E8)]
X_EMOJI_MISSING = [(0x1F441, 0xFE0F, 0x200D, 0x1F5E8, 0xFE0F), (0x267E, 0xFE0F)]


def fields(name):
    """(first, last, values...) of each line of a UCD file."""
    for line in (UNICODE / name).read_text(encoding="utf-8").splitlines():
        data = line.split("#")[0].strip()
        if not data or data.startswith("@"):
            continue
        code, *values = [field.strip() for field in data.split(";")]
        first, _, last = code.partition("..")
        yield int(first, 16), int(last or first, 16), values


def property_of(name, value=None):
    """{code point: value} of a file, or the set of the code points that have `value`."""
    if value is None:
        return {c: v[0] for first, last, v in fields(name) for c in range(first, last + 1)}
    return {c for first, last, v in fields(name) if v[0] == value for c in range(first, last + 1)}


def version():
    head = (UNICODE / "DerivedAge.txt").read_text(encoding="utf-8").splitlines()[0]
    return re.search(r"-(\d+\.\d+\.\d+)\.txt", head).group(1)


def conjuncts():
    """What Indic_Conjunct_Break (rule GB9c) says since 15.1, derived from properties that 15.0 has already."""
    scripts = {"Devanagari", "Bengali", "Gujarati", "Oriya", "Telugu", "Malayalam"}
    script = property_of("Scripts.txt")
    syllabic = property_of("IndicSyllabicCategory.txt")
    combining = property_of("extracted/DerivedCombiningClass.txt")
    grapheme = property_of("auxiliary/GraphemeBreakProperty.txt")
    result = {c: CONJUNCT_EXTEND for c, g in grapheme.items()
              if g == "ZWJ" or (g == "Extend" and combining.get(c, "0") != "0")}
    for c, category in syllabic.items():
        if script.get(c) in scripts and category == "Consonant":
            result[c] = CONJUNCT_CONSONANT
        elif script.get(c) in scripts and category == "Virama":
            result[c] = CONJUNCT_LINKER
    return result


def emoji_sequences():
    """The sequences of two and more code points that X counts as one emoji."""
    sequences = set(X_EMOJI_LATER + X_EMOJI_OTHER)
    line = re.compile(r"^([0-9A-F ]+?)\s*; (\S+)\s*# \S+ E([0-9.]+) ")
    for text in (UNICODE / "emoji/emoji-test.txt").read_text(encoding="utf-8").splitlines():
        found = line.match(text)
        if not found or float(found[3]) > X_EMOJI:
            continue
        points = tuple(int(c, 16) for c in found[1].split())
        keycap = points[-1] == 0x20E3
        if len(points) > 1 and (found[2] == "fully-qualified" or keycap):
            sequences.add(points)
    # Of the characters that are shown as emoji anyway, the old ones take a variation selector along.
    age = property_of("DerivedAge.txt")
    shown = property_of("emoji/emoji-data.txt", "Emoji_Presentation")
    for text in (UNICODE / "emoji/emoji-variation-sequences.txt").read_text(encoding="utf-8").splitlines():
        found = re.match(r"^([0-9A-F]+) FE0F\s*; emoji style", text)
        if found and int(found[1], 16) in shown and float(age[int(found[1], 16)]) < 6.0:
            sequences.add((int(found[1], 16), 0xFE0F))
    return sequences - set(X_EMOJI_MISSING)


def automaton(sequences):
    """Nodes (first edge, number of edges, accepting) and edges (code point, node); equal subtrees are one node."""
    nodes, edges, known = [], [], {}

    def add(suffixes):
        key = frozenset(suffixes)
        if key in known:
            return known[key]
        outgoing = []
        for head in sorted({s[0] for s in suffixes if s}):
            outgoing.append((head, add([s[1:] for s in suffixes if s and s[0] == head])))
        known[key] = len(nodes)
        nodes.append((len(edges), len(outgoing), () in key))
        edges.extend(outgoing)
        return known[key]

    root = add(list(sequences))
    return nodes, edges, root


def words(sequences):
    word = [0] * SIZE
    age = property_of("DerivedAge.txt")
    for c, value in property_of("auxiliary/GraphemeBreakProperty.txt").items():
        word[c] |= GRAPHEME_BREAK.index(value)
    for c in property_of("emoji/emoji-data.txt", "Extended_Pictographic"):
        word[c] |= PICTOGRAPHIC
    for c, value in conjuncts().items():
        word[c] |= value
    for c, value in property_of("extracted/DerivedCombiningClass.txt").items():
        word[c] |= COMBINING if value != "0" else 0
    for first, last, values in fields("DerivedNormalizationProps.txt"):
        if values[0] == "NFC_QC":
            for c in range(first, last + 1):
                word[c] |= NFC_OPEN
    for c in property_of("DerivedCoreProperties.txt", "Alphabetic"):
        word[c] |= WORD
    for c, category in property_of("extracted/DerivedGeneralCategory.txt").items():
        old = c in age and tuple(int(part) for part in age[c].split(".")) <= X_AGE
        if category[0] in "LM" and old:
            word[c] |= X_TAG_LETTER
        if category == "Nd" and old:
            word[c] |= X_TAG_OTHER
        if category[0] == "M" or category in ("Nd", "Pc"):
            word[c] |= WORD
        if category[0] == "P":
            word[c] |= PUNCTUATION
    upper = {first: int(values[11], 16) for first, _, values in fields("UnicodeData.txt") if values[11]}
    known = {upper.get(c, c) for c in range(0x80, 0x10000) if word[c] & X_TAG_LETTER}
    for c in range(0x80, 0x10000):
        if upper.get(c, c) in known:
            word[c] |= X_TAG_LETTER
    for sign in X_TAG_SIGNS:
        word[ord(sign)] |= X_TAG_OTHER
    for first, last in X_TAG_PRIVATE:
        for c in range(first, last + 1):
            word[c] |= X_TAG_LETTER
    for sequence in sequences:
        word[sequence[0]] |= EMOJI_START
    light = {c for first, last in X_LIGHT for c in range(first, last + 1)}
    alone = {GRAPHEME_BREAK.index(value) for value in ("Other", "LV", "LVT")}
    for c in range(SIZE):
        if c not in light:
            word[c] |= X_HEAVY
        if word[c] & 0xF in alone and not word[c] & (PICTOGRAPHIC | CONJUNCT_LINKER | NFC_OPEN | EMOJI_START | COMBINING):
            word[c] |= PLAIN
    return word


def compositions():
    """(second, first, composite) of every pair that NFC makes one; those of Hangul follow from arithmetic."""
    excluded = property_of("DerivedNormalizationProps.txt", "Full_Composition_Exclusion")
    pairs = []
    for c, _, values in fields("UnicodeData.txt"):
        parts = values[4].split()
        if len(parts) == 2 and not parts[0].startswith("<") and c not in excluded:
            pairs.append((int(parts[1], 16), int(parts[0], 16), c))
    return sorted(pairs)


def table(kind, name, values):
    print(f"constexpr {kind} {name}[] = {{")
    for i in range(0, len(values), 16):
        print("    " + ", ".join(str(v) for v in values[i:i + 16]) + ",")
    print("};")


def main():
    sequences = emoji_sequences()
    word = words(sequences)
    blocks, index = {}, []
    for start in range(0, SIZE, BLOCK):
        block = tuple(word[start:start + BLOCK])
        index.append(blocks.setdefault(block, len(blocks)))
    nodes, edges, root = automaton(sequences)

    print("// Made by scripts/unicode_tables.py from the Unicode Character Database.")
    print(f'constexpr char kUnicodeVersion[] = "{version()}";')
    assert len(blocks) <= 256, "kBlockOf needs a wider type, here and in unicode.hpp"
    table("std::uint8_t", "kBlockOf", index)
    table("std::uint16_t", "kWords", [w for block in blocks for w in block])
    table("Composition", "kCompositions", [f"{{{s}, {f}, {c}}}" for s, f, c in compositions()])
    print(f"constexpr std::uint16_t kEmojiRoot = {root};")
    table("EmojiNode", "kEmojiNodes", [f"{{{n[0]}, {n[1]}, {str(n[2]).lower()}}}" for n in nodes])
    table("EmojiEdge", "kEmojiEdges", [f"{{{e[0]}, {e[1]}}}" for e in edges])


if __name__ == "__main__":
    main()
