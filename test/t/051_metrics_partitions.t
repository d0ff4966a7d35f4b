# The migration to monthly partitions that docs/metrics.md describes, retention by partition, import by script, dump and
# restore of rollups, binary COPY and parallel plans of states.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use NexusTest qw(root start_node deploy);

my $node = start_node('metrics_partitions');
deploy($node, 'nexus');
$node->safe_psql('nexus', q{
	INSERT INTO users (id, email, password, first_name, last_name) SELECT 'u' || g, g || '@example.org',
	  '$argon2id$v=19$m=19456,t=2,p=1$bWV0cmljc21ldHJpY3M$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA', 'M', 'M' FROM generate_series(1, 2) g;
	INSERT INTO content (id, user_id, title, platform, content_type) SELECT g, 'u' || 1 + g % 2, 't', 'x', 'video' FROM generate_series(1, 4) g;
	SELECT nexus.set_metrics_zone('u1', 'Europe/Berlin');
	INSERT INTO content_metrics (content_id, platform, captured_at, source, views, likes, reach)
	SELECT c, p, '2025-01-05'::timestamp + d * interval '17 hours', 'api', 100 + 7 * d * c, d, 40 + 3 * d
	FROM generate_series(1, 4) c, unnest(ARRAY['x', 'tiktok']) p, generate_series(0, 120) d});

my $answers = q{SELECT md5(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C")) FROM (
	SELECT c.id::text AS id, m::text AS answer FROM content c, nexus.metrics_series(c.id) m
	UNION ALL SELECT u.id, m::text FROM users u, nexus.account_series(u.id) m
	UNION ALL SELECT u.id, m::text FROM users u, nexus.account_heatmap(u.id) m
	UNION ALL SELECT u.id, m::text FROM users u, nexus.account_latest(u.id) m) t};
my $before = $node->safe_psql('nexus', $answers);
isnt($before, '', 'there is something to be answered');

# Dump and restore.
my $dump = $node->basedir . '/metrics.dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('nexus') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'pg_restore');
is($node->safe_psql('restored', $answers), $before, 'rollups are dumped and restored');
$node->safe_psql('restored', q{INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (1, 'youtube', '2025-05-01', 'api', 1), (1, 'youtube', '2025-05-02', 'api', 5)});
is($node->safe_psql('restored', q{SELECT sum(views) FROM nexus.metrics_series(1, '2025-05-01 22:00Z', '2025-05-02 22:00Z')}), '4', 'and kept on');

# The migration, as the page has it.
my $page = slurp_file(root() . '/docs/metrics.md');
my ($migration) = $page =~ /```sql\n(BEGIN;.*?COMMIT;)\n```/s;
ok($migration, 'docs/metrics.md has a migration');
$node->safe_psql('nexus', $migration);
is($node->safe_psql('nexus', q{SELECT relkind FROM pg_class WHERE oid = 'content_metrics'::regclass}), 'p', 'content_metrics is partitioned');
is($node->safe_psql('nexus', $answers), $before, 'no answer has changed');
is($node->safe_psql('nexus', q{SELECT inserted, updated, unchanged, rejected FROM nexus.ingest_metrics('[
	{"content_id": 1, "platform": "x", "captured_at": "2025-01-05T00:00:00Z", "source": "api", "views": 100, "likes": 0, "comments": 0, "shares": 0, "reach": 40, "revenue": 0},
	{"content_id": 1, "platform": "x", "captured_at": "2025-01-05T17:00:00Z", "source": "api", "views": 111, "likes": 1, "reach": 43},
	{"content_id": 1, "platform": "x", "captured_at": "2025-04-20T01:00:00Z", "source": "api", "views": 1}]')}),
	'1|1|1|0', 'samples come in through the parent');
$node->safe_psql('nexus', q{UPDATE content_metrics SET captured_at = captured_at + interval '30 days 1 minute' WHERE content_id = 2 AND captured_at < '2025-01-10'});
$before = $node->safe_psql('nexus', $answers);
$node->safe_psql('nexus', 'SELECT nexus.rebuild_metrics_rollups()');
is($node->safe_psql('nexus', $answers), $before, 'rollups are kept, also for rows that move to another month');

# A month goes, its rollups stay.
$node->safe_psql('nexus', q{SELECT nexus.freeze_metrics('2025-02-01'); DROP TABLE content_metrics_2025_01});
is($node->safe_psql('nexus', $answers), $before, 'rollups outlive a dropped partition');
$node->safe_psql('nexus', 'SELECT nexus.rebuild_metrics_rollups()');
is($node->safe_psql('nexus', $answers), $before, 'and rebuilding');

# Import by script: CSV twice, then JSON.
my $csv = $node->basedir . '/samples.csv';
append_to_file($csv, "content_id,platform,captured_at,views,likes,source\n3,x,2025-06-01T00:00:00Z,10,,api\n3,x,2025-06-02T00:00:00Z,\"20\",3,api\n3,x,2025-06-03T00:00:00Z,-1,3,api\n");
my @import = (root() . '/scripts/import_metrics.sh');
my @to = ('-d', $node->connstr('nexus'));
my ($output, $errors) = run_command([ @import, $csv, @to ]);
like($output, qr/^2 inserted, 0 updated, 0 unchanged, 1 rejected\n.*"index": 2/, 'CSV is imported, a bad line reported');
($output, $errors) = run_command([ @import, $csv, @to ]);
like($output, qr/^0 inserted, 0 updated, 2 unchanged, 1 rejected/, 'a second import changes nothing');
my $json = $node->basedir . '/samples.json';
append_to_file($json, qq{[{"content_id": 3, "platform": "x", "captured_at": "2025-06-02T00:00:00Z", "views": 25, "likes": 3, "source": "api"}]\n});
($output, $errors) = run_command([ @import, $json, @to ]);
like($output, qr/^0 inserted, 1 updated, 0 unchanged, 0 rejected/, 'JSON is imported, a revision replaces');

# States: binary COPY, and two workers give the answer of none.
$node->safe_psql('nexus', q{
	CREATE TABLE numbers AS SELECT g AS id, g % 50 AS grp, (g::bigint * 7919) % 100003 AS v, '2025-01-01'::timestamptz + g * interval '1 minute' AS ts FROM generate_series(1, 60000) g;
	ALTER TABLE numbers SET (parallel_workers = 2); ANALYZE numbers});
my $states = q{SELECT grp, nexus.metrics_agg(v, v, NULL, v, v, v, v, v) AS m, nexus.counter_agg(ts, v, 'correction', id) AS c, nexus.quantile_agg(v) AS q,
	nexus.distinct_agg(v) AS d, nexus.topk_agg(v % 17, v, 5) AS t FROM numbers GROUP BY grp};
my $read = q{SELECT md5(string_agg(concat_ws(' ', grp, m, nexus.delta(c), nexus.num_resets(c), nexus.distinct_count(d), t), E'\n' ORDER BY grp)) FROM };
my $plans = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = ';
like($node->safe_psql('nexus', $plans . "2; EXPLAIN $states"), qr/Partial .*Aggregate/, 'the plan has workers');
is($node->safe_psql('nexus', $plans . "2; $read ($states) s"), $node->safe_psql('nexus', $plans . "0; $read ($states) s"),
	'two workers give the same answer');
my $file = $node->basedir . '/states';
$node->safe_psql('nexus', qq{CREATE TABLE states AS $states; CREATE TABLE copied (LIKE states);
	COPY states TO '$file' (FORMAT binary); COPY copied FROM '$file' (FORMAT binary)});
is($node->safe_psql('nexus', q{SELECT count(*) FROM states s FULL JOIN copied c USING (grp) WHERE (s.m::text, s.c::text, s.q::text, s.d::text, s.t::text) IS DISTINCT FROM (c.m::text, c.c::text, c.q::text, c.d::text, c.t::text)}),
	'0', 'binary COPY keeps states');

$node->stop;
done_testing();
