"""The figures of suggest_hashtags on each corpus, a line for each value of nexus.hashtag_min_authors: 1, as most corpora
name no authors, and 3, the default. (se) is the standard error over the posts."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "conformance"))
from hashtags import FOLDER, evaluate  # noqa: E402

corpora = sorted(path.name.split(".")[0] for path in FOLDER.glob("*.dev.jsonl.gz"))
for corpus in os.environ.get("CORPUS", " ".join(corpora)).split():
    for min_authors in (1, 3):
        score, run = evaluate(corpus, min_authors)
        print(f"{corpus:8} min_authors {min_authors}  P@1 {score['P@1']:.3f} ({score['P@1_se']:.3f})  "
              f"R@10 {score['R@10']:.3f} ({score['R@10_se']:.3f})  cov@5 {score['cov@5']:.3f}  div@5 {score['div@5']:.3f}  "
              f"hit@5 {score['hit@5']:.3f}  MRR {score['MRR']:.3f}  {score['posts']} posts, "
              f"{1000 * run['suggest'] / run['asked']:.2f} ms each", flush=True)
