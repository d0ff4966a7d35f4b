"""X's entities and weighted length against npm twitter-text."""
from lib.differ import ROOT, ask, compare, npm, quote, texts, values


def earlier_copy(_text, ours, theirs):
    """True if all that differs is the place of URLs, and theirs stand before ours."""
    return ours[:4] == theirs[:4] and len(ours[4]) == len(theirs[4]) and all(
        our == their or our[:2] == their[:2] and our[0] == "url" and their[2] < our[2] and their[3] - their[2] == our[3] - our[2]
        for our, their in zip(ours[4], theirs[4], strict=True))


KNOWN = [
    ("twitter-text looks for the text of a bare domain to find its place, and takes an earlier copy that is no link", earlier_copy),
]


def main():
    folder = npm("x", "twitter-text@3.1.0")
    inputs = list(texts(1))
    theirs = ask(["node", ROOT / "test" / "differential" / "x.mjs"], inputs, folder)
    ours = values([
        f"SELECT jsonb_build_array(x.weight, x.valid, x.permillage, x.valid_range_end, (SELECT coalesce(jsonb_agg(jsonb_build_array("
        f"e.kind, e.value, e.start_utf16, e.end_utf16) ORDER BY e.start_utf16), '[]') FROM nexus.entities({quote(text)}) e)) "
        f"FROM nexus.x_length({quote(text)}) x" for text in inputs])
    compare("x", inputs, ours, theirs, KNOWN)


main()
