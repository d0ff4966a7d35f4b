"""Borders of grapheme clusters against ICU, on random characters drawn from each class of the rules."""
import random
import shutil
import subprocess

from lib.differ import ASSIGNED, BUILD, COUNT, EMOJI, MARKS, ROOT, WORDS, ask, compare, quote, skip, values

KNOWN = []

# Characters that join or part, by the scripts in which they do.
JOINING = [chr(c) for low, high in ((0x300, 0x30F), (0x600, 0x605), (0x900, 0x97F), (0x980, 0x9FE), (0xA81, 0xAFF), (0xB01, 0xB77),
                                    (0xC00, 0xC7F), (0xD00, 0xD7F), (0xE30, 0xE4E), (0x1100, 0x11FF), (0xAC00, 0xAC40),
                                    (0x1F1E6, 0x1F1FF), (0x1F3F0, 0x1F44F)) for c in range(low, high + 1)]
JOINING = [c for c in JOINING if c in set(ASSIGNED)] + ["\u200d", "\u200c", "\r", "\n", "\ufe0f", "a", " "]


def peer():
    """The compiled peer."""
    program = BUILD / "graphemes_icu"
    source = ROOT / "test" / "differential" / "graphemes_icu.cpp"
    if shutil.which("pkg-config") is None or subprocess.run(["pkg-config", "--exists", "icu-uc"], check=False).returncode != 0:
        skip("graphemes", "Debian's libicu-dev is not installed")
    BUILD.mkdir(parents=True, exist_ok=True)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "icu-uc"], capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["g++", "-std=c++20", "-O1", "-o", program, source, *flags], check=True)
    return program


def main():
    program = peer()
    rng = random.Random(3)
    pools = [JOINING, JOINING, JOINING, MARKS, EMOJI, WORDS, ASSIGNED]
    inputs = ["".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 40))) for _ in range(COUNT)]
    theirs = ask([program], [[ord(c) for c in text] for text in inputs])
    ours = values([f"SELECT to_jsonb(nexus.grapheme_breaks({quote(text)}))" for text in inputs])
    compare("graphemes", inputs, ours, theirs, KNOWN)


main()
