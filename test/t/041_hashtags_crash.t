# The hashtag model after kill -9: sixteen clients publish, edit, unpublish by deleting, link, measure and fold at once until a backend
# or the postmaster is killed; then the counts must be those of the rows that are there. NEXUS_CRASH_RUNS=20 for the long form.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);
use NexusTest qw(root start_node deploy);

my $runs = $ENV{NEXUS_CRASH_RUNS} || 2;
my $node = start_node('hashtags_crash', 'max_connections = 40', 'restart_after_crash = on', 'nexus.hashtag_min_authors = 1',
	"nexus.as_of = '2026-06-01 00:00:00+00'");
deploy($node, 'app');
$node->safe_psql('app', q{
INSERT INTO users (id, email, password, first_name, last_name)
SELECT 'u' || i, 'u' || i || '@example.org', '$argon2id$v=19$m=19456,t=2,p=1$' || repeat('A', 22) || '$' || repeat('A', 43), 'A', 'B' FROM generate_series(1, 5) i;
CREATE TABLE word (i integer PRIMARY KEY, w text);
INSERT INTO word SELECT i, (ARRAY['storm','flood','town','river','rain','bread','oven','calm','news','wind'])[i + 1] FROM generate_series(0, 9) i;
});

my $dir = PostgreSQL::Test::Utils::tempdir();
my %script = (
	'publish@6' => q{
\set a random(0, 9)
\set b random(0, 9)
\set u random(1, 5)
\set h random(1, 3000)
WITH new AS (INSERT INTO content (user_id, title, description, platform, content_type, tags)
  SELECT 'u' || :u, 't', x.w || ' and ' || y.w, 'x', 'text', ARRAY['All', 'T' || x.w, y.w] FROM word x, word y WHERE x.i = :a AND y.i = :b RETURNING id)
SELECT id FROM new \gset
UPDATE content SET status = 'published', published_at = '2026-06-01'::timestamp - :h * interval '1 hour' WHERE id = :id;
},
	'edit@3' => q{
\set a random(0, 9)
\set r random(1, 100000)
UPDATE content SET description = (SELECT w FROM word WHERE i = :a) || ' once more #Edited', tags = '{All,edited}'
 WHERE id = (SELECT max(id) - :r % 50 FROM content);
},
	'delete@2' => q{
\set r random(1, 100000)
DELETE FROM content WHERE id = (SELECT max(id) - :r % 80 FROM content);
},
	'link@1' => q{
\set r random(1, 100000)
INSERT INTO social_posts (user_id, title, caption, content_type, content_id)
SELECT user_id, 't', 'a caption', 'video', id FROM content WHERE id = (SELECT max(id) - :r % 80 FROM content) FOR KEY SHARE;
},
	'unlink@1' => q{
\set r random(1, 100000)
DELETE FROM social_posts WHERE id = (SELECT max(id) - :r % 20 FROM social_posts);
},
	'measure@1' => q{
\set r random(1, 100000)
\set likes random(0, 500)
INSERT INTO content_metrics (content_id, platform, captured_at, source, likes)
SELECT id, 'x', clock_timestamp() AT TIME ZONE 'UTC', 'api', :likes FROM content WHERE id = (SELECT max(id) - :r % 50 FROM content) FOR KEY SHARE ON CONFLICT DO NOTHING;
SELECT nexus.learn_hashtag_engagement(20);
},
	'fold@1' => 'SELECT nexus.fold_hashtag_stats();',
	'ask@1' => q{SELECT count(*) FROM nexus.suggest_hashtags('storm and flood once more', 'x', 'u1');});
my @bench = ('pgbench', '-n', '-c', '16', '-j', '2', '-T', '120', '--max-tries=100');
for my $name (sort keys %script)
{
	my ($file, $weight) = split /@/, $name;
	append_to_file("$dir/$file.sql", $script{$name});
	push @bench, '-f', "$dir/$file.sql\@$weight";
}

# What the rows say, and what the model says; each in the same words.
my $taught = q{taught AS (SELECT c.id, c.user_id, c.published_at, t.tag, c.description FROM content c
  CROSS JOIN LATERAL (SELECT DISTINCT nexus.canonical_hashtag(t) AS tag FROM unnest(c.tags || nexus.hashtags(c.description)) t) t
  WHERE c.status = 'published' AND NOT EXISTS (SELECT FROM social_posts s WHERE s.content_id = c.id))};
my $rows = qq{WITH $taught
SELECT * FROM (
  SELECT 'word ' || w.term || ' tag ' || tag AS what, count(*) AS n FROM taught, nexus.hashtag_terms(description) w GROUP BY w.term, tag
  UNION ALL SELECT 'word ' || term, count(*) FROM (SELECT DISTINCT id, term FROM taught, nexus.hashtag_terms(description)) d GROUP BY term
  UNION ALL SELECT 'tag ' || tag, count(*) FROM taught GROUP BY tag
  UNION ALL SELECT 'authors ' || tag, count(DISTINCT user_id) FROM taught GROUP BY tag
  UNION ALL SELECT 'last ' || tag || ' ' || nexus.hashtag_author(user_id), floor(extract(epoch FROM max(published_at) - '2000-01-01') / 3600) FROM taught GROUP BY tag, user_id
  UNION ALL SELECT 'posts', count(DISTINCT id) FROM taught
  UNION ALL SELECT 'length', coalesce(sum(uses), 0) FROM (SELECT DISTINCT id, description FROM taught) d, nexus.hashtag_terms(description)) r ORDER BY 1};
my $model = q{
SELECT * FROM (
  SELECT 'word ' || substr(f.feature, 2) || ' tag ' || t.canonical AS what, u.uses AS n
    FROM nexus.hashtag_features f, nexus.hashtag_feature_tags(f.feature) u JOIN nexus.hashtag_tags t USING (tag_id) WHERE f.feature ^@ 'w'
  UNION ALL SELECT 'word ' || substr(feature, 2), posts FROM nexus.hashtag_features WHERE feature ^@ 'w'
  UNION ALL SELECT 'tag ' || canonical, posts FROM nexus.hashtag_tags WHERE posts > 0
  UNION ALL SELECT 'authors ' || canonical, authors FROM nexus.hashtag_tags WHERE authors > 0
  UNION ALL SELECT 'last ' || t.canonical || ' ' || a.author, a.last_hour FROM nexus.hashtag_authors a JOIN nexus.hashtag_tags t USING (tag_id)
  UNION ALL SELECT 'posts', posts FROM nexus.hashtag_model
  UNION ALL SELECT 'length', length_sum FROM nexus.hashtag_model) r ORDER BY 1};
my $moved = q{SELECT count(*) FROM nexus.hashtag_posts p CROSS JOIN LATERAL (
  SELECT likes::bigint AS n FROM content_metrics m WHERE m.content_id = p.source_id AND m.platform = 'x' ORDER BY captured_at DESC, id DESC LIMIT 1) m
  WHERE p.source = 'content' AND nexus.engagement_moved(p.engagements, m.n)};
# All packed counts, and answers that use every posting.
my $packed = q{
SELECT md5(string_agg(r::text, E'\n' ORDER BY r::text COLLATE "C")) FROM (
  SELECT feature || posts || tags::text AS r FROM nexus.hashtag_features
  UNION ALL SELECT 'h' || h::text FROM nexus.hashtag_hours h
  UNION ALL SELECT 's' || s::text FROM nexus.hashtag_spellings s
  UNION ALL SELECT 'a' || a::text FROM nexus.hashtag_authors a
  UNION ALL SELECT 't' || t::text FROM nexus.hashtag_tags t WHERE posts > 0
  UNION ALL SELECT s::text FROM word x, word y, nexus.suggest_hashtags(x.w || ' ' || y.w || ' once more', 'x', 'u2', max_count => 200) s) all_rows};

my $taught_posts = 0;
for my $run (1 .. $runs)
{
	my $clients = IPC::Run::start([ @bench, '-d', $node->connstr('app') ], '>', "$dir/out", '2>', "$dir/err");
	unless ($node->poll_query_until('app', q{SELECT count(*) = 16 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}))
	{
		$clients->kill_kill;
		BAIL_OUT('no clients: ' . slurp_file("$dir/err"));
	}
	sleep(1 + rand(1.5));
	if ($run % 2 == 0)
	{
		# The next postmaster waits for nobody: it starts when the last process of this one is gone.
		my @pids = split /\n/, $node->safe_psql('app', 'SELECT pid FROM pg_stat_activity');
		$node->kill9;
		$clients->finish;
		for (1 .. 300)
		{
			last unless grep { kill 0, $_ } @pids;
			sleep 0.1;
		}
		$node->start;
	}
	else
	{
		my $pid = $node->safe_psql('app', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1});
		kill 'KILL', $pid;
		$clients->finish;
		# A client that is turned away reads no question: it is asked for without one.
		for (1 .. 300)
		{
			last if system('pg_isready', '-q', '-h', $node->host, '-p', $node->port) == 0;
			sleep 0.1;
		}
	}
	unlike(slurp_file("$dir/err"), qr/deadlock|duplicate key|XX00/, "run $run: no client met an error but the crash");
	$node->safe_psql('app', 'SELECT nexus.fold_hashtag_stats()');
	# What has moved since it was learned is learned in one more round.
	$node->safe_psql('app', 'DELETE FROM nexus.hashtag_engagement_walk; SELECT nexus.learn_hashtag_engagement(100000, 1000000); SELECT nexus.fold_hashtag_stats()');
	is($node->safe_psql('app', $moved), '0', "run $run: all lessons have the numbers of the rows");
	my $rows = $node->safe_psql('app', $rows);
	is($node->safe_psql('app', $model), $rows, "run $run: the counts are those of the rows");
	my $folded = $node->safe_psql('app', $packed);
	$node->safe_psql('app', 'SELECT nexus.rebuild_hashtag_model()');
	is($node->safe_psql('app', $packed), $folded, "run $run: and those of a recount");
	($taught_posts) = $rows =~ /^posts\|(\d+)$/m;
	note("run $run: $taught_posts posts taught");
}
cmp_ok($taught_posts, '>', 20, 'the clients have got something done');
$node->stop;
done_testing();
