# Rollups of content_metrics equal what is made anew from the samples, after random operations by eight clients and
# immediate stops in the middle. Short by default; NEXUS_METRICS_RUNS=20 NEXUS_METRICS_OPERATIONS=10000 for the long form.
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

my $node = start_node('metrics_rollups', 'fsync = on', 'restart_after_crash = off', 'deadlock_timeout = 200ms',
	'autovacuum_naptime = 5s');
deploy($node, 'nexus');

my $rows = q{
  
  SELECT 'series' AS what, s.content_id::text AS a, s.platform AS b, concat_ws(' ', s.user_id, s.tz, s.last_at) AS c, s.latest AS state
    FROM nexus.metric_series s
  UNION ALL SELECT 'day', s.content_id::text, s.platform, d.day::text, d.state FROM nexus.metric_days d LEFT JOIN nexus.metric_series s USING (series)
  UNION ALL SELECT 'user day', user_id, platform, day::text, state FROM nexus.metric_user_days
  UNION ALL SELECT 'user hour', user_id, platform, dow || ' ' || hour, state FROM nexus.metric_user_hours};

# What readers are told, rollups, deltas and all.
my $answers = q{
SELECT md5(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C")) FROM (
  SELECT 's' AS what, c.id::text AS id, m::text AS answer FROM content c, nexus.metrics_series(c.id) m
  UNION ALL SELECT 'l', c.id::text, m::text FROM content c, nexus.metrics_latest(c.id) m
  UNION ALL SELECT 'd', u.id, m::text FROM users u, nexus.account_series(u.id) m
  UNION ALL SELECT 'h', u.id, m::text FROM users u, nexus.account_heatmap(u.id) m
  UNION ALL SELECT 'w', u.id, m::text FROM users u, nexus.account_gains(u.id, '2025-03-08 07:00', '2025-03-20 11:00') m) t};

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
	return q{SELECT nexus.set_metrics_rollup('} . (rand() < 0.6 ? 'exact' : 'hot') . q{')} if $dice < 93;
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
			push @lines, 'BEGIN;', (map { operation() . ';' } 1 .. $size), rand() < 0.2 ? 'ROLLBACK;' : 'COMMIT;';
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

sub check
{
	my ($what) = @_;
	my $told = $node->safe_psql('nexus', $answers);
	is($node->safe_psql('nexus', $plain), '', "$what: readers are told what the samples say");
	1 while $node->safe_psql('nexus', 'SELECT nexus.fold_metrics()') > 0;
	is($node->safe_psql('nexus', $answers), $told, "$what: the fold changes no answer");
	is( $node->safe_psql('nexus', qq{
		CREATE TEMP TABLE kept AS $rows;
		SELECT count(*) FROM nexus.rebuild_metrics_rollups() HAVING count(*) = 0;
		WITH anew AS ($rows) SELECT '-', * FROM (TABLE kept EXCEPT TABLE anew) a UNION ALL SELECT '+', * FROM (TABLE anew EXCEPT TABLE kept) b
		ORDER BY 2, 3, 4, 5, 1 LIMIT 20}),
		'',
		"$what: rollups equal recomputation bit for bit");
	return;
}

srand($seed);
for my $run (1 .. $runs)
{
	$node->safe_psql('nexus', q{
		DELETE FROM users; SELECT nexus.set_metrics_rollup('exact');
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
		ok(!(grep { /damaged|could not|out of range|unknown C\+\+|inconsistent/ } keys %errors), "run $run, round $round: no error but those expected");
		check("run $run, round $round");
	}
}

$node->stop;
done_testing();
