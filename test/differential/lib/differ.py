"""What the differential tests share: random texts, answers of a peer and of the extension, a line of counts."""
import json
import os
import pathlib
import random
import subprocess
import sys
import unicodedata

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "test" / "conformance"))
from common import quote, run  # noqa: E402

BUILD = ROOT / "build" / "differential"
COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 2000

WORDS = """post day the a launch Straße naïve 日本 東京 写真 カメラ ありがとう 한국어 여행 привет мир Ελλάδα עברית שלום مرحبا فارسی हिन्दी क्षेत्र
    தமிழ் ภาษาไทย বাংলা ខ្មែរ አማርኛ Tiếng việt Türkçe ПОСТ 公開 发布 x 1 2024 end.of.sentence So... don't""".split()
EMOJI = "😀 👍 👍🏽 ❤️ ❤ ☺ ☺️ 👨‍👩‍👧‍👦 🧑‍🚀 🏳️‍🌈 🏴󠁧󠁢󠁥󠁮󠁧󠁿 🇩🇪 🇫🇷🇩 1️⃣ #️⃣ *⃣ 9⃣ ™ ™️ © ®️ ✈️ ☕ 🐻‍❄️ 🤷🏼‍♂️ 👩‍💻 ⌚︎ 🧿".split()
MARKS = ["\u0301", "e\u0301", "n\u0303", "\u200d", "\ufe0f", "\ufe0e", "\u20e3", "\u094d", "\u0bbf", "\u0e33", "\u1100", "\u1161",
         "\u11a8", "\u0600", "\u00ad", "\u200b", "\u200f", "\u202e", "\u2066", "\u2060", "\ufb2c", "\u212b", "\u0344", "\u3099"]
URLS = """http://example.com https://example.com/a_(b)?q=1&r=2#frag https://t.co/abc123XYZ example.com example.co.uk/path www.example.org
    HTTPS://EXAMPLE.COM/ ftp://example.com http://localhost/ https://1.2.3.4/ https://user:pw@example.com/ http://例え.jp/ 例え.テスト
    http://☃.net/ example.invalid foo.museum a.b.c.de x.y bücher.de/é https://example.com:8080/x, me@example.com t.co
    https://example.com/日本 example.com。 https://example.com/a).""".split()
TAGS = """#tag #CaféLife #日本 #1 #1st #_ #__a #a-b #a·b #tag#tag ＃全角 #हिन्दी #한국 #👍 #a👍 a#b &#39; #tag: #tag!x #2024x #ÅB #e\u0301t\u00e9
    @alice @Bob_99 @alice.bsky.social @ann@example.social @a/list @foo/list-1 @foo/1 ＠full .@dot RT@x RT:@y a@b @@x @x@ @handle.test
    @bad..com $AAPL $aapl $BRK.A $TOOLONGX $12 a$X $x_y $eur. ($usd)""".split()
GLUE = list(" \n\t.,:;!?()[]{}'\"/-_+=&%#@$*~|<>") + ["\u3000", "\u00a0", "。", "、", "「", "」", "・", "...", "://", "http://", "https://", "\u2019", "\u2026"]

# Peers know other versions of Unicode: only characters that all of them know.
ASSIGNED = [c for c in map(chr, list(range(1, 0xD800)) + list(range(0xE000, 0x1F000 + 0xC00)) + list(range(0xE0001, 0xE0200)))
            if unicodedata.category(c) not in ("Cn", "Co", "Cs")]


def texts(seed):
    """Random posts: words with links, tags and emoji; the same without spaces; signs and marks; any characters."""
    rng = random.Random(seed)
    for number in range(COUNT):
        style = number % 4
        if style == 0:
            pools = [WORDS] * 6 + [EMOJI, URLS, TAGS, TAGS]
            yield " ".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 60)))
        elif style == 1:
            pools = [WORDS, EMOJI, URLS, URLS, TAGS, TAGS, GLUE, GLUE, GLUE, MARKS]
            yield "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 30)))
        elif style == 2:
            pools = [GLUE, GLUE, MARKS, ["a", "b", "com", "1", "é", "中", "www", "de", "list"], TAGS]
            yield "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 25)))
        else:
            yield "".join(rng.choice(ASSIGNED) if rng.random() < 0.5 else rng.choice(rng.choice([MARKS, GLUE, EMOJI, TAGS]))
                          for _ in range(rng.randint(1, 30)))


def skip(name, reason):
    """Ends the program: nothing passed, nothing failed, and why."""
    print(f"differential {name}: skipped, {reason}\n0 passed, 0 failed", flush=True)
    sys.exit(0)


def npm(name, *packages):
    """A folder with the packages; where npm cannot bring them says so and ends with nothing compared."""
    folder = BUILD / "npm"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [p for p in packages if not (folder / "node_modules" / p.rpartition("@")[0] / "package.json").exists()]
    if wanted:
        try:
            done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *wanted], cwd=folder,
                                  capture_output=True, text=True, timeout=180, check=False)
            reason = done.stderr.strip()[-200:] if done.returncode != 0 else None
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            reason = str(error)
        if reason:
            skip(name, f"npm cannot bring {' '.join(wanted)}: {reason}")
    return folder


def ask(command, inputs, cwd=None):
    """The answers of a program that reads and writes a JSON value a line."""
    done = subprocess.run(command, input="".join(json.dumps(i) + "\n" for i in inputs), capture_output=True, text=True,
                          encoding="utf-8", cwd=cwd, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def values(statements):
    """The extension's answers; an error is an answer, too."""
    return [answer.get("value", answer) for answer in run(statements)]


def compare(name, inputs, ours, theirs, known=()):
    """Counts; `known` are pairs of a reason and a function (text, ours, theirs) that says whether it explains a difference."""
    reasons = {reason: 0 for reason, _ in known}
    faults = []
    for text, our, their in zip(inputs, ours, theirs, strict=True):
        if our == their:
            continue
        reason = next((reason for reason, explains in known if explains(text, our, their)), None)
        if reason:
            reasons[reason] += 1
        else:
            faults.append((text, our, their))
    agreed = len(inputs) - len(faults) - sum(reasons.values())
    print(f"differential {name}: {len(inputs)} asked, {agreed} agreed, {len(faults)} differ", flush=True)
    for reason, count in reasons.items():
        print(f"  known: {count} {reason}", flush=True)
    for text, our, their in faults[:int(os.environ.get("DIFFERENTIAL_SHOW", "5"))]:
        print(f"  differs: {ascii(text)}\n    ours   {json.dumps(our)}\n    theirs {json.dumps(their)}", flush=True)
    print(f"{len(inputs) - len(faults)} passed, {len(faults)} failed", flush=True)
    sys.exit(1 if faults else 0)
