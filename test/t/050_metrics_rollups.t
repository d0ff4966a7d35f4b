# Rollups of content_metrics equal what is made anew from the samples, after random operations by eight clients and
# immediate stops in the middle. Short by default; NEXUS_METRICS_RUNS=20 NEXUS_METRICS_OPERATIONS=10000 for the long form.
# What differs is printed with the history of its series: who wrote what when, and when it was committed.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use NexusTest qw(start_node deploy);

my $runs = $ENV{NEXUS_METRICS_RUNS} // 1;
my $operations = $ENV{NEXUS_METRICS_OPERATIONS} // 1600;
my $clients = $ENV{NEXUS_METRICS_CLIENTS} // 8;
my $seed = $ENV{NEXUS_METRICS_SEED} // 1;

my $node = start_node('metrics_rollups', 'fsync = on', 'restart_after_crash = off', 'deadlock_timeout = 200ms', 'track_commit_timestamp = on',
	'autovacuum_naptime = 5s');
deploy($node, 'nexus');

# Content changes hands too, as an administrator may let it.
$node->safe_psql('nexus', 'ALTER TABLE content DISABLE TRIGGER owner_agreement');

$node->safe_psql('nexus', q{
CREATE TABLE history (n bigserial, at timestamptz DEFAULT clock_timestamp(), xid xid DEFAULT pg_current_xact_id()::xid,
  pid integer DEFAULT pg_backend_pid(), relation text, removed jsonb, added jsonb);
CREATE FUNCTION keep_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO public.history (relation, removed, added)
  VALUES (TG_TABLE_NAME, CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END, CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END);
  RETURN NULL;
END $$;
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['public.content_metrics', 'nexus.metric_delta', 'nexus.metric_series', 'nexus.metric_days'] LOOP
    EXECUTE format('CREATE TRIGGER keep_history AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION keep_history()', name);
  END LOOP;
END $$});

# What is known of the series of a content and platform, or of all series of an author on a platform. Entries of metric_delta
# are written past triggers, so they show when a fold takes them; of series and days, what is made by a statement or goes shows.
my $history = q{
WITH contents AS (
  SELECT id FROM content WHERE user_id = :'a' UNION SELECT id FROM content WHERE id::text = :'a'),
numbers AS (
  SELECT DISTINCT coalesce(added, removed) ->> 'series' AS series FROM history
  WHERE relation = 'metric_series' AND coalesce(added, removed) ->> 'platform' = :'b'
    AND (coalesce(added, removed) ->> 'content_id')::integer IN (SELECT id FROM contents))
SELECT h.at::time, pg_xact_commit_timestamp(h.xid)::time AS committed, h.xid, h.pid, h.relation, jsonb_strip_nulls(h.removed) - dull AS removed,
  jsonb_strip_nulls(h.added) - dull AS added
FROM history h, coalesce(added, removed) r,
  (SELECT ARRAY['content_id', 'platform', 'comments', 'shares', 'revenue', 'engagement_rate', 'last_updated'] AS dull) d
WHERE (r ->> 'platform' = :'b' AND (r ->> 'content_id')::integer IN (SELECT id FROM contents))
  OR (relation = 'metric_days' AND r ->> 'series' IN (SELECT series FROM numbers))
ORDER BY h.n};

my $rows = q{
  SELECT 'series' AS what, s.content_id::text AS a, s.platform AS b, concat_ws(' ', s.user_id, s.tz, s.last_at) AS c, s.latest AS state
    FROM nexus.metric_series s
  UNION ALL SELECT 'day', s.content_id::text, s.platform, concat_ws(' ', d.day, d.resets, d.author), d.state FROM nexus.metric_days d LEFT JOIN nexus.metric_series s USING (series)
  UNION ALL SELECT 'user day', user_id, platform, day::text, state FROM nexus.metric_user_days
  UNION ALL SELECT 'user hour', user_id, platform, dow || ' ' || hour, state FROM nexus.metric_user_hours};

# top_gains() looks at few days only; account_gains() adds all of them up.
my $ends = q{
WITH asked(after, before, metric) AS (VALUES ('2025-03-08'::timestamptz, '2025-03-20'::timestamptz, 'views'),
  ('2025-03-12', '2025-03-13', 'saves'), ('2025-03-20', '2026-01-01', 'saves'), ('2025-03-05 05:00', '2025-03-25 04:00', 'views'),
  ('-infinity', 'infinity', 'views')),
few AS (SELECT u.id, a.*, g.content_id, g.platform, g.value, g.engagements, g.denominator
  FROM users u, asked a, nexus.top_gains(u.id, a.after, a.before, a.metric, 1000, NULL, NULL, NULL) g),
whole AS (SELECT * FROM (SELECT u.id, a.*, g.content_id, g.platform, CASE metric WHEN 'views' THEN views ELSE saves END AS value,
    g.engagements, g.denominator
  FROM users u, asked a, nexus.account_gains(u.id, a.after, a.before) g) w WHERE value IS NOT NULL)
SELECT * FROM (SELECT 'few', * FROM (TABLE few EXCEPT ALL TABLE whole) a UNION ALL SELECT 'whole', * FROM (TABLE whole EXCEPT ALL TABLE few) b) d LIMIT 20};

# What readers are told, rollups, deltas and all.
my $answers = q{
  SELECT 'metrics_series' AS what, c.id::text AS a, '' AS b, m::text AS c FROM content c, nexus.metrics_series(c.id) m
  UNION ALL SELECT 'metrics_latest', c.id::text, m.platform, m::text FROM content c, nexus.metrics_latest(c.id) m
  UNION ALL SELECT 'account_series', u.id, '', m::text FROM users u, nexus.account_series(u.id) m
  UNION ALL SELECT 'account_heatmap', u.id, '', m::text FROM users u, nexus.account_heatmap(u.id) m
  UNION ALL SELECT 'account_gains', u.id, m.platform, m::text
    FROM users u, nexus.account_gains(u.id, '2025-03-08 07:00', '2025-03-20 11:00') m};

# The increments once more, from the samples alone: neighbours by lag, the default policy written out.
my $plain = q{
WITH settled AS (
  SELECT DISTINCT ON (content_id, platform, captured_at) content_id, platform, captured_at, views FROM content_metrics
  WHERE views IS NOT NULL ORDER BY content_id, platform, captured_at, id DESC),
steps AS (
  SELECT s.content_id, nexus.local_bucket('day', captured_at AT TIME ZONE 'UTC', coalesce(z.tz, 'UTC')) AS bucket,
    CASE WHEN views >= lag(views) OVER w OR views * 2 >= lag(views) OVER w THEN views - lag(views) OVER w
      WHEN lag(views) OVER w IS NOT NULL THEN views END AS step
  FROM settled s JOIN content c ON c.id = s.content_id LEFT JOIN nexus.metric_zones z ON z.user_id = c.user_id COLLATE "C"
  WINDOW w AS (PARTITION BY s.content_id, s.platform ORDER BY s.captured_at)),
expected AS (SELECT content_id, bucket, sum(step) AS views FROM steps GROUP BY 1, 2 HAVING sum(step) IS NOT NULL),
given AS (SELECT c.id AS content_id, m.bucket, m.views FROM content c, nexus.metrics_series(c.id) m WHERE m.views IS NOT NULL)
SELECT * FROM (SELECT 'samples', * FROM (TABLE expected EXCEPT TABLE given) a UNION ALL SELECT 'readers', * FROM (TABLE given EXCEPT TABLE expected) b) d
ORDER BY 2, 3, 1 LIMIT 20};

my @zones = qw(UTC America/New_York Asia/Kathmandu America/Havana Australia/Lord_Howe);

# One random operation as SQL.
sub operation
{
	my $content = 1 + int(rand 24);
	my $hot = rand() < 0.5 ? 1 + int(rand 3) : $content;
	my $platform = (qw(x tiktok youtube))[ int(rand 3) ];
	my $at = sub { sprintf q{('2025-03-01'::timestamp + %d * interval '10 minutes')}, int(rand 144 * 30) };
	my $value = sub { rand() < 0.15 ? 'NULL' : int(rand 3) == 0 ? int(rand 100) : int(rand 2000) };
	my $row = sub {
		sprintf q{(%d, '%s', %s, '%s', %s, %s, %s, %s)}, $_[0], $platform, $at->(), rand() < 0.8 ? 'api' : 'manual',
		  $value->(), $value->(), $value->(), $value->();
	};
	my $insert = 'INSERT INTO content_metrics AS m (content_id, platform, captured_at, source, views, likes, reach, saves) ';
	my $upsert = ' ON CONFLICT (content_id, platform, captured_at, source) DO UPDATE SET views = excluded.views, likes = excluded.likes';
	my $dice = rand 100;
	return $insert . 'VALUES ' . $row->($hot) . $upsert if $dice < 30;
	return $insert
	  . "SELECT DISTINCT ON (c, t) 1 + c % 24, '$platform', "
	  . $at->()
	  . " + t * interval '97 minutes', 'api', 10 * t + c, t, c, NULL FROM generate_series($content, $content + 5) c, generate_series(0, 9) t"
	  . $upsert
	  if $dice < 50;
	return 'UPDATE content_metrics SET views = ' . $value->() . " WHERE content_id = $hot AND platform = '$platform' AND captured_at BETWEEN "
	  . $at->() . " AND '2025-03-25'"
	  if $dice < 60;
	return "UPDATE content_metrics SET captured_at = captured_at + interval '31 minutes' WHERE id IN (SELECT id FROM content_metrics WHERE content_id = $content AND NOT EXISTS (SELECT FROM content_metrics o WHERE o.content_id = $content AND o.captured_at = content_metrics.captured_at + interval '31 minutes') ORDER BY captured_at LIMIT 1)"
	  if $dice < 66;
	return "DELETE FROM content_metrics WHERE content_id = $hot AND platform = '$platform' AND captured_at < " . $at->() . ' AND id % 3 = 0'
	  if $dice < 76;
	return q{SELECT inserted FROM nexus.ingest_metrics('[} . join(',',
		map { sprintf q[{"content_id": %d, "platform": "%s", "captured_at": "2025-03-%02dT%02d:00:00Z", "views": %d, "likes": %d}],
			1 + int(rand 26), $platform, 1 + int(rand 28), int(rand 24), int(rand 3000), int(rand 50) } 1 .. 8) . q{]')}
	  if $dice < 88;
	return "DO \$\$ BEGIN DELETE FROM content WHERE id = $content AND id > 16; INSERT INTO content (id, user_id, title, platform, content_type) VALUES ($content, 'u' || $content % 4, 't', 'x', 'video') ON CONFLICT DO NOTHING; END \$\$"
	  if $dice < 91;
	return "UPDATE content SET user_id = 'u" . int(rand 4) . "' WHERE id = $content" if $dice < 92;
	return q{SELECT nexus.set_metrics_rollup('} . (rand() < 0.6 ? 'exact' : 'hot') . q{')} if $dice < 94;
	return 'SELECT nexus.fold_metrics(' . (1 + int(rand 50)) . ')' if $dice < 98;
	return q{SELECT nexus.set_metrics_zone('u} . int(rand 4) . q{', '} . $zones[ int(rand @zones) ] . q{')};
}

# A client's script: transactions of a few operations, some rolled back. Errors of one do not end it.
sub script
{
	my ($count) = @_;
	my @lines;
	for (my $done = 0; $done < $count;)
	{
		if (rand() < 0.25)
		{
			my $size = 2 + int(rand 2);
			push @lines, rand() < 0.1 ? 'BEGIN ISOLATION LEVEL REPEATABLE READ;' : 'BEGIN;', (map { operation() . ';' } 1 .. $size), rand() < 0.2 ? 'ROLLBACK;' : 'COMMIT;';
			$done += $size;
		}
		else
		{
			push @lines, operation() . ';';
			++$done;
		}
	}
	return join("\n", @lines) . "\n";
}

# Nothing if both queries give the same rows; otherwise what differs, and the history of the first series in it.
sub same
{
	my ($what, $before, $after) = @_;
	my $different = $node->safe_psql('nexus', qq{
		SELECT * FROM (SELECT '-', * FROM ($before EXCEPT ($after)) a UNION ALL SELECT '+', * FROM (($after) EXCEPT $before) b) d
		ORDER BY what IN ('day', 'series', 'metrics_latest') DESC, 2, 3, 4, 5, 1 LIMIT 20});
	is($different, '', $what);
	return if $different eq '';
	my (undef, undef, $a, $b) = split /\|/, $different;
	diag($node->safe_psql('nexus', $history, extra_params => [ '-v', "a=$a", '-v', "b=$b" ]));
	return;
}

sub check
{
	my ($what) = @_;
	$node->safe_psql('nexus', "DROP TABLE IF EXISTS told, kept; CREATE TABLE told AS $answers");
	is($node->safe_psql('nexus', $plain), '', "$what: readers are told what the samples say");
	is($node->safe_psql('nexus', $ends), '', "$what: the ends of a window say what all of its days do");
	1 while $node->safe_psql('nexus', 'SELECT nexus.fold_metrics()') > 0;
	is($node->safe_psql('nexus', $ends), '', "$what: after the fold too");
	same("$what: the fold changes no answer", 'TABLE told', $answers);
	is( $node->safe_psql('nexus', q{
		SELECT c.id, last_measured_at, at FROM content c, LATERAL (SELECT max(captured_at) AS at FROM content_metrics WHERE content_id = c.id) m
		WHERE last_measured_at IS DISTINCT FROM at}),
		'',
		"$what: contents know when they were last measured");
	$node->safe_psql('nexus', "CREATE TABLE kept AS $rows; SELECT nexus.rebuild_metrics_rollups()");
	same("$what: rollups equal recomputation bit for bit", 'TABLE kept', $rows);
	return;
}

srand($seed);
for my $run (1 .. $runs)
{
	$node->safe_psql('nexus', q{
		DELETE FROM users; SELECT nexus.set_metrics_rollup('exact'); TRUNCATE history;
		INSERT INTO users (id, email, password, first_name, last_name) SELECT 'u' || g, g || '@example.org',
		  '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'M', 'M' FROM generate_series(0, 3) g;
		INSERT INTO content (id, user_id, title, platform, content_type) SELECT g, 'u' || g % 4, 't', 'x', 'video' FROM generate_series(1, 24) g});
	my $deadlocks = $node->safe_psql('nexus', q{SELECT deadlocks FROM pg_stat_database WHERE datname = 'nexus'});
	my $rounds = 2;
	for my $round (1 .. $rounds)
	{
		my $crash = $round == 1;
		my (@sessions, @outputs);
		for my $client (1 .. $clients)
		{
			my $file = PostgreSQL::Test::Utils::tempdir() . "/client$client.sql";
			open my $out, '>', $file or die; print $out script($operations / $clients / $rounds); close $out;
			push @outputs, \my $output;
			push @sessions, IPC::Run::start([ 'psql', '-X', '-q', '-At', '-d', $node->connstr('nexus'), '-f', $file ], '<', \undef, '>', \my $ignored, '2>', $outputs[-1]);
		}
		if ($crash)
		{
			# Somewhere in the middle one backend is killed, and with it the server.
			select undef, undef, undef, 0.5 + rand(1.5);
			my (undef, $pid) = $node->psql('nexus',
				q{SELECT pid FROM pg_stat_activity WHERE datname = 'nexus' AND state = 'active' AND pid <> pg_backend_pid() LIMIT 1});
			if ($pid ne '')
			{
				kill 'KILL', $pid;
			}
		}
		IPC::Run::finish($_) for @sessions;
		if ($crash)
		{
			$node->stop('immediate', fail_ok => 1);
			$node->{_pid} = undef;
			unlink $node->data_dir . '/postmaster.pid';
			$node->start;
		}
		my %errors;
		for my $output (@outputs)
		{
			++$errors{$1} while $$output =~ /ERROR:  (.*)/g;
		}
		note("$_: $errors{$_}") for sort keys %errors;
		ok(!(grep { /damaged|could not (?!serialize)|out of range|unknown C\+\+|inconsistent|duplicate key.*metric_/ } keys %errors), "run $run, round $round: no error but those expected");
		check("run $run, round $round");
	}
}

$node->stop;
done_testing();
