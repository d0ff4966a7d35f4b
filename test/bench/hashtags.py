"""Hashtags at size: synthetic posts whose words and tags follow Zipf's law are learned through SQL, then asked for.

Prints for each number of posts (HASHTAG_POSTS="10000 100000", add 1000000 for the long form): posts learned and folded a
second, the latency of a suggestion as the client sees it and as the server's CPU does (warm: the same drafts were asked
before), the size of the model, and eight clients that publish with one common tag while a ninth folds, with what it has
not got to. Waits for locks are looked for in test/t/042_hashtags_writers.t.
"""
import os
import pathlib
import random
import subprocess
import tempfile
import time

DATABASE = "nexus_hashtags_bench"  # of its own: what it learns is nobody else's
WORDS, TAGS, LENGTH, DRAFTS, ASKED = 50000, 5000, 15, 500, 4000


def psql(script, database=DATABASE):
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database], text=True, input=script,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"psql failed: {done.stderr.strip()[:2000]}")
    return done.stdout.strip()


def zipf(count):
    """A draw of ranks, the first twice as likely as the second."""
    ranks = list(range(count))
    sums, total = [], 0.0
    for rank in ranks:
        total += 1 / (rank + 1)
        sums.append(total)
    return lambda n: random.choices(ranks, cum_weights=sums, k=n)


def pgbench(script, clients, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "script.sql")
        file.write_text(script, encoding="utf-8")
        done = subprocess.run(["pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-f", str(file), "-l", "--log-prefix",
                               str(pathlib.Path(folder, "log")), *arguments, DATABASE], text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"pgbench failed: {done.stderr.strip()[:2000]}")
        times = sorted(int(line.split()[2]) / 1000 for log in pathlib.Path(folder).glob("log*") for line in open(log, encoding="ascii"))
    tps = next(float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("tps"))
    return times, tps


def measure(posts):
    random.seed(1)
    words, tags = zipf(WORDS), zipf(TAGS)
    psql(f"DROP DATABASE IF EXISTS {DATABASE} (FORCE);", "postgres")
    psql(f"CREATE DATABASE {DATABASE}", "postgres")
    psql("CREATE EXTENSION creatornexus; CREATE UNLOGGED TABLE post (no integer, body text, tags text[]);"
         "CREATE TABLE draft (no integer PRIMARY KEY, body text);")
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as out:
        for number in range(posts):
            body = " ".join(f"w{rank}" for rank in words(LENGTH))
            out.write(f"{number}\t{body}\t{{{','.join(f't{rank}' for rank in set(tags(2)))}}}\n")
        out.flush()
        psql(f"\\copy post FROM '{out.name}'")
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as out:
        for number in range(DRAFTS):
            out.write(f"{number}\t{' '.join(f'w{rank}' for rank in words(LENGTH))}\n")
        out.flush()
        psql(f"\\copy draft FROM '{out.name}'")
    begin = time.monotonic()
    for first in range(0, posts, 40000):
        psql("SELECT count(nexus.learn_post(body, tags, now() - no % 5000 * interval '10 minutes', 'x', 'u' || no % 20000)::text)"
             f" FROM post WHERE no BETWEEN {first} AND {first + 39999}")
    learned = time.monotonic()
    psql("SELECT nexus.fold_hashtag_stats()")
    folded = time.monotonic()
    psql("VACUUM ANALYZE")
    ask = "SELECT count(*) FROM nexus.suggest_hashtags((SELECT body FROM draft WHERE no = :no), 'x')"
    # One session asks for every draft, then measures itself, so that what it keeps in memory is warm.
    timed = psql(f"""SET nexus.hashtag_cache_size = '256MB';
CREATE TEMP TABLE took (ms float8);
DO $$ DECLARE d record; began timestamptz; times float8[] := '{{}}'; BEGIN
  FOR pass IN 0 .. {ASKED // DRAFTS} LOOP FOR d IN SELECT body FROM draft ORDER BY no LOOP
    began := clock_timestamp();
    PERFORM FROM nexus.suggest_hashtags(d.body, 'x');
    IF pass > 0 THEN times := times || (1000 * extract(epoch FROM clock_timestamp() - began))::float8; END IF;
  END LOOP; END LOOP;
  INSERT INTO took SELECT unnest(times);  -- at the end: a transaction that writes reads the model's posts anew each time
END $$;
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) || ' ' || percentile_cont(0.99) WITHIN GROUP (ORDER BY ms) || ' ' || nexus.hashtag_cache_bytes() FROM took;""")
    median, worst, cached = (float(value) for value in timed.split())
    disk, model = psql("SELECT disk_bytes, disk_bytes - pg_total_relation_size('nexus.hashtag_posts') - pg_total_relation_size('nexus.hashtag_delta')"
                       " FROM nexus.hashtag_model_stats()").split("|")
    print(f"{posts:8} posts: learned {posts / (learned - begin):.0f}/s, folded {posts / (folded - learned):.0f}/s; warm suggestion "
          f"median {median:.2f} ms, p99 {worst:.2f} ms; counts {int(model) / 1e6:.0f} MB on disk, with the posts {int(disk) / 1e6:.0f} MB, "
          f"{cached / 1e6:.0f} MB in the session", flush=True)
    times, _ = pgbench("\\set no random(0, 499)\n" + ask + ";\n", 1, "-t", "1000")
    print(f"          a client that asks at random from a cold session: median {times[len(times) // 2]:.2f} ms, "
          f"p99 {times[len(times) * 99 // 100]:.2f} ms", flush=True)
    folder = subprocess.Popen(["psql", "-XqAt", "-d", DATABASE], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    folder.stdin.write("SELECT nexus.fold_hashtag_stats() \\watch 1\n")
    folder.stdin.flush()
    times, tps = pgbench("\\set no random(0, 499)\nSELECT nexus.learn_post((SELECT body FROM draft WHERE no = :no), '{common}', user_id => 'u' || :client_id);\n",
                         8, "-T", "10")
    folder.kill()
    folder.wait()
    waiting = int(psql("SELECT count(*) FROM nexus.hashtag_delta"))
    print(f"          8 clients on one common tag, folded each second: {tps:.0f} posts/s, median {times[len(times) // 2]:.2f} ms, "
          f"p99 {times[len(times) * 99 // 100]:.2f} ms, longest {times[-1]:.1f} ms; {waiting} posts wait for the next fold", flush=True)
    psql(f"DROP DATABASE {DATABASE} (FORCE);", "postgres") if not os.environ.get("KEEP") else None


for count in os.environ.get("HASHTAG_POSTS", "10000 100000").split():
    measure(int(count))
