"""Hashtag suggestions on real posts: learn a corpus through SQL, ask for its dev posts through SQL, score the answers.

"passed" are the scored dev posts with one of their own tags among the first five suggestions. No corpus names authors'
ids, so each post is its author's only one, and nexus.hashtag_min_authors is 1 as the candidates are tags of two posts.
"""
import gzip
import json
import os
import pathlib
import subprocess
import tempfile
import time
import unicodedata

from common import ROOT, VECTORS, report

TOOLS = pathlib.Path(os.environ.get("NEXUS_TOOLS", ROOT.parent / "shared" / "tools"))
FOLDER = VECTORS / "hashtags"

SCRIPT = r"""
\set QUIET on
SET client_min_messages = error;
SET nexus.hashtag_min_authors = {min_authors};
CREATE EXTENSION creatornexus;
CREATE TABLE post (no bigint GENERATED ALWAYS AS IDENTITY, part text, doc jsonb);
\copy post (part, doc) FROM '{posts}' WITH (FORMAT csv)
ANALYZE post;
SELECT clock_timestamp() AS t0 \gset
SELECT count(learnt::text) AS learnt FROM (
  SELECT nexus.learn_post(doc->>'text', ARRAY(SELECT jsonb_array_elements_text(doc->'tags')),
                          to_timestamp((doc->>'t')::bigint), niche => doc->>'niche') AS learnt
    FROM (SELECT '{{"t": 0}}'::jsonb || doc AS doc FROM post WHERE part = 'train' ORDER BY no) train) learning \gset
SELECT clock_timestamp() AS t1 \gset
SELECT nexus.fold_hashtag_stats() AS folded \gset
SELECT clock_timestamp() AS t2 \gset
CREATE TABLE answer AS
  SELECT doc->>'id' AS id, ARRAY(SELECT hashtag FROM nexus.suggest_hashtags(doc->>'text', niche => doc->>'niche',
                                                                            max_count => 50)) AS tags
    FROM post WHERE part = 'dev' ORDER BY no;
SELECT clock_timestamp() AS t3 \gset
SELECT jsonb_build_object('id', id, 'tags', tags) FROM answer;
SELECT jsonb_build_object('learn', extract(epoch FROM :'t1'::timestamptz - :'t0'::timestamptz),
  'fold', extract(epoch FROM :'t2'::timestamptz - :'t1'::timestamptz),
  'suggest', extract(epoch FROM :'t3'::timestamptz - :'t2'::timestamptz), 'folded', :folded);
"""
DATABASE = "nexus_hashtags"  # of its own: what it learns is nobody else's


def psql(database, script):
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database], text=True, encoding="utf-8",
                          input=script, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"psql failed: {done.stderr.strip()[:2000]}")
    return done.stdout


def posts(path):
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def is_hashtag(tag):
    kinds = [unicodedata.category(c) for c in unicodedata.normalize("NFKC", tag)]
    return any(k[0] in "LM" for k in kinds) and all(k[0] in "LM" or k in ("Nd", "Nl", "Pc") for k in kinds)


def evaluate(corpus, min_authors=1):
    """The scorer's figures and the seconds of each step."""
    train, dev = posts(FOLDER / f"{corpus}.train.jsonl.gz"), posts(FOLDER / f"{corpus}.dev.jsonl.gz")
    refused = sum(not is_hashtag(t) for post in train for t in post["tags"])
    with tempfile.TemporaryDirectory() as folder:
        csv = pathlib.Path(folder) / "posts.csv"
        with open(csv, "w", encoding="utf-8") as out:
            for part, part_posts in (("train", train), ("dev", dev)):
                for post in part_posts:
                    kept = dict(post, tags=[t for t in post["tags"] if is_hashtag(t)])
                    out.write(part + ',"' + json.dumps(kept, ensure_ascii=False).replace('"', '""') + '"\n')
        again = f"DROP DATABASE IF EXISTS {DATABASE} (FORCE);"
        psql("postgres", again)
        psql("postgres", f"CREATE DATABASE {DATABASE}")
        answer = psql(DATABASE, SCRIPT.format(posts=csv, min_authors=min_authors))
        psql("postgres", again)
        lines = [line for line in answer.splitlines() if line.startswith("{")]
        answers = pathlib.Path(folder) / "answers.jsonl"
        answers.write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
        scored = subprocess.run(["python3", str(TOOLS / "score_hashtags.py"), "--json",
                                 "--gold", str(FOLDER / f"{corpus}.dev.jsonl.gz"),
                                 "--train", str(FOLDER / f"{corpus}.train.jsonl.gz"), "--pred", str(answers)],
                                text=True, capture_output=True, check=True)
    return json.loads(scored.stdout), dict(json.loads(lines[-1]), refused=refused, posts=len(train), asked=len(dev))


def main():
    corpora = sorted(path.name.split(".")[0] for path in FOLDER.glob("*.dev.jsonl.gz"))
    for corpus in corpora:
        start = time.monotonic()
        score, run = evaluate(corpus)
        hits = round(score["hit@5"] * score["posts"])
        report(f"hashtags/{corpus}.dev.jsonl.gz", hits, score["posts"] - hits)
        print(f"  passed = a tag of the post in the first 5; P@1 {score['P@1']:.3f}, hit@5 {score['hit@5']:.3f}, "
              f"R@10 {score['R@10']:.3f}, MRR {score['MRR']:.3f}, cov@5 {score['cov@5']:.3f}, div@5 {score['div@5']:.3f}; "
              f"{score['unanswerable']} posts without a known tag not scored; "
              f"{1000 * run['suggest'] / run['asked']:.2f} ms a suggestion of 50")
        report(f"hashtags/{corpus}.train.jsonl.gz", run["folded"], run["posts"] - run["folded"])
        print(f"  passed = posts learned; {run['posts'] / run['learn']:.0f} posts/s learned, "
              f"{run['posts'] / run['fold']:.0f} posts/s folded, {run['refused']} tags refused as no hashtags; "
              f"{time.monotonic() - start:.0f} s in all", flush=True)
    for name in sorted(p.name for p in FOLDER.iterdir() if not p.name.endswith(".jsonl.gz")):
        if name == "stats.json":
            stats = json.loads((FOLDER / name).read_text(encoding="utf-8"))
            right = sum(len(posts(FOLDER / f"{c}.train.jsonl.gz")) == stats[c]["train"] for c in corpora)
            report(f"hashtags/{name}", right, len(stats) - right)
            print("  passed = corpora whose number of posts to learn is as stated")
        else:
            report(f"hashtags/{name}", 0, 0)  # holds no cases


if __name__ == "__main__":
    main()
