"""Bluesky's facets and its length against RichText of npm @atproto/api."""
from lib.differ import ROOT, ask, compare, npm, quote, texts, values

KINDS = {"hashtag": "tag", "cashtag": "tag", "mention": "mention", "url": "link"}

# Indic_Conjunct_Break=Linker since Unicode 16: Khmer, Myanmar, Balinese, Javanese ... The extension follows 15.1.
LATER_LINKERS = set("\u1039\u17d2\u1a60\u1b44\u1bab\ua9c0\uaaf6\U00010a3f\U00011133\U000113d0\U0001193e\U00011a47\U00011a99\U00011f42")


def later_conjunct(text, ours, theirs):
    return ours[1] == theirs[1] and ours[0] > theirs[0] and not LATER_LINKERS.isdisjoint(text)


def not_prepend(text, ours, theirs):
    return ours[1] == theirs[1] and ours[0] < theirs[0] and "\U00011a3a" in text


def without_overlaps(facets):
    """What a client shows: a facet that begins inside another is passed over."""
    kept = []
    for each in facets:
        if not kept or each[0] >= kept[-1][1]:
            kept.append(each)
    return kept


def overlap(text, ours, theirs):
    return ours[1] == without_overlaps(theirs[1]) and (ours[0] == theirs[0] or later_conjunct(text, ours, [theirs[0], ours[1]]))


KNOWN = [
    ("rule GB9c joins conjuncts of more scripts since Unicode 16", later_conjunct),
    ("the library behind @atproto/api takes U+11A3A for no Prepend; the standard and ICU do", not_prepend),
    ("detectFacets gives facets inside of others, which are passed over when the text is shown", overlap),
]


def facet(entity):
    value = {"url": entity["canonical"], "cashtag": "$" + entity["canonical"]}.get(entity["kind"], entity["value"])
    return [entity["start_byte"], entity["end_byte"], KINDS[entity["kind"]], value]


def main():
    folder = npm("bluesky", "@atproto/api@0.19.19")
    inputs = list(texts(2))
    theirs = [[length, sorted(facets)]
              for length, facets in ask(["node", ROOT / "test" / "differential" / "bluesky.mjs"], inputs, folder)]
    found = values([
        f"SELECT jsonb_build_array((nexus.text_stats({quote(text)})).graphemes, "
        f"(SELECT coalesce(jsonb_agg(e), '[]') FROM nexus.entities({quote(text)}, 'bluesky') e))" for text in inputs])
    ours = [[length, sorted(facet(entity) for entity in entities)] for length, entities in found]
    compare("bluesky", inputs, ours, theirs, KNOWN)


main()
