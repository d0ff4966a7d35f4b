# pg_dump and restore keep everything: the 16 tables, the manifest, and the rows of the extension's own tables.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NexusTest qw(start_node sqitch dump_schema);

my $node = start_node('dump_restore');
my ($code, $output);
$node->safe_psql('postgres', 'CREATE DATABASE source');
($code, $output) = sqitch($node, 'source', 'deploy');
is($code, 0, 'deploy') or diag($output);

# A row that a user could have added, for every table of the extension that is dumped; attach has filled some.
my $password = '$2b$12$' . ('a' x 53);
$node->safe_psql('source', qq{
	SET nexus.import_mode = on;
	INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u1', 'u1\@example.org', '$password', 'U', 'One');
	INSERT INTO social_accounts (user_id, platform, account_id, account_name) VALUES ('u1', 'x', '17', 'ann');
	INSERT INTO social_posts (user_id, title, content_type, status, published_at) VALUES ('u1', 's1', 'post', 'published', '2026-01-01');
	INSERT INTO platform_posts (social_post_id, platform, account_id, status, published_at, platform_post_id)
	  VALUES (1, 'x', 1, 'published', '2026-01-01', 'r1');
	INSERT INTO content (user_id, title, platform, content_type) VALUES ('u1', 'c1', 'x', 'text')});
my %row = (
	'nexus.hashtag_delta' => q{
		SELECT nexus.learn_post('rye bread at home', ARRAY['Baking', 'Rye'], '2026-01-01', 'x', 'u1', 'food');
		SELECT nexus.fold_hashtag_stats();
		SELECT nexus.learn_post('wheat bread at home', ARRAY['Baking'], '2026-01-02', 'x', 'u1', 'food')},
	'nexus.hashtag_retractions' => q{
		SELECT nexus.learn_source_post('oat bread', ARRAY['Oats'], '2026-01-03', 'x', 'u1', 'food', NULL, NULL, 'test', 1);
		SELECT nexus.retract_source_post('test', 1)},
	'nexus.ai_providers' => q{INSERT INTO nexus.ai_providers (name, base_url, model, task_types) VALUES ('ours', 'https://example.org/v1', 'm', '{script}')},
	'nexus.oauth_providers' => q{
		INSERT INTO nexus.oauth_providers (name, platform, authorization_endpoint, token_endpoint, userinfo_endpoint, client_id)
		  VALUES ('ours', 'ours', 'https://example.org/authorize', 'https://example.org/token', 'https://example.org/me', 'c')},
	'nexus.account_events' => q{SELECT nexus.account_event('u1', 1, 'x', 'connected')},
	'nexus.ai_results' => q{INSERT INTO nexus.ai_results (task_type, schema) VALUES ('poem', '{"type": "string"}')},
	'nexus.hashtag_bans' => q{INSERT INTO nexus.hashtag_bans (suggestion, tag, platform) VALUES (1, 'spam', 'x')},
	'nexus.hashtag_engagement_walk' => q{INSERT INTO nexus.hashtag_engagement_walk (last_post) VALUES (7)},
	'nexus.hashtag_feedback' => q{INSERT INTO nexus.hashtag_feedback (author, tag, accepted) VALUES (1, 'rye', true)},
	'nexus.hashtag_lists' => q{INSERT INTO nexus.hashtag_lists VALUES ('#Spam', 'x', 'banned')},
	'nexus.hashtag_seeds' => q{INSERT INTO nexus.hashtag_seeds (niche, tag) VALUES ('Food', '#Baking')},
	'nexus.hashtag_weights' => q{INSERT INTO nexus.hashtag_weights VALUES ('x', 1, 1, 1, 1, 1, 1)},
	# Samples that are rolled up, and one that waits for the fold.
	'nexus.metric_delta' => q{
		SELECT nexus.set_metrics_zone('u1', 'Asia/Kathmandu');
		INSERT INTO content (user_id, title, platform, content_type) VALUES ('u1', 'c2', 'x', 'text');
		INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (2, 'x', '2026-01-01', 'api', 10), (2, 'x', '2026-01-02', 'api', 15);
		SELECT nexus.set_metrics_rollup('hot');
		INSERT INTO content_metrics (content_id, platform, captured_at, source, views) VALUES (2, 'x', '2026-01-03', 'api', 17)},
	'nexus.seed_rows' => q{INSERT INTO nexus.seed_rows VALUES ('content', '1')},
	'nexus.platforms' => q{INSERT INTO nexus.platforms (slug, name) VALUES ('ours', 'Ours')},
	'nexus.rule_sources' => q{INSERT INTO nexus.rule_sources (source_id, title, kind) VALUES ('ours', 'Ours', 'manual')},
	'nexus.platform_rules' => q{
		INSERT INTO nexus.platform_rules (rule_id, platform, field, kind, unit, max, severity, source)
		  VALUES ('ours.caption', 'x', 'caption', 'text_length', 'codepoint', 100, 'warning', 'ours')},
	'nexus.rule_overrides' => q{
		INSERT INTO nexus.rule_overrides (scope, scope_id, rule_id, max)
		  SELECT 'user', 'u1', rule_id, 500 FROM nexus.platform_rules ORDER BY rule_id LIMIT 1},
	'nexus.enforcement' => q{SELECT nexus.set_enforcement('content', 'record')},
	'nexus.findings' => q{
		INSERT INTO nexus.findings (table_name, row_id, number, finding)
		  VALUES ('content', 1, 1, ROW('x', 'caption.too_long', 'error', 'caption', 'm', 'h', 1, 2, 3, 4, 'r', 's'))},
	'nexus.metadata_schemas' => q{
		INSERT INTO nexus.metadata_schemas (table_name, content_type, schema) VALUES ('content', 'video', '{"required": ["cover"], "properties": {"id": {"pattern": "^a"}}}')},
	'nexus.idempotency_keys' => q{INSERT INTO nexus.idempotency_keys (user_id, key, request_hash, result) VALUES ('u1', 'k1', 'h', '{NULL,1,"[1, \"x\"]",NULL,NULL}')},
	'nexus.media_files' => q{INSERT INTO nexus.media_files (user_id, file_name, size, received, state, sha256, facts, thumbnail_key)
		VALUES ('u1', 'a.png', 5, 5, 'ready', '\x0000000000000000000000000000000000000000000000000000000000000000', '{"mime_type": "image/png"}', repeat('a', 32))},
	'nexus.media_garbage' => q{INSERT INTO nexus.media_garbage VALUES (repeat('b', 32))},
	'nexus.media_limits' => q{INSERT INTO nexus.media_limits VALUES ('u1', 1, 1, 1)},
	'nexus.login_users' => q{INSERT INTO nexus.login_users VALUES ('reporting', 'u1')},
	'nexus.jobs' => q{
		INSERT INTO nexus.jobs (kind, ref_id) VALUES ('publish', 1), ('verify', 1), ('notify', 1);
		UPDATE nexus.jobs SET state = 'leased', lease_token = nextval('nexus.lease_token'), lease_until = '2030-01-01' WHERE id > 1;
		UPDATE nexus.jobs SET state = 'done', lease_token = NULL, lease_until = NULL, finished_at = '2026-01-01' WHERE id = 3},
	'nexus.metric_pull_platforms' => q{INSERT INTO nexus.metric_pull_platforms (platform, batch) VALUES ('ours', 3)},
	'nexus.metric_pull_steps' => q{INSERT INTO nexus.metric_pull_steps (until_age, every) VALUES ('1 hour', '1 minute')},
	'nexus.measured_posts' => q{INSERT INTO nexus.measured_posts (platform_post_id, account_id, published_at, counters, ended) VALUES (1, 1, '2026-01-01', '{"likes": 3}', 'gone')},
	'nexus.niche_stats' => q{INSERT INTO nexus.niche_stats (niche_id, written) VALUES (1, '{"trend_score": 7}')},
	'nexus.paused_lanes' => q{SELECT nexus.pause_lane('publish', 'maintenance')},
	'nexus.notification_preferences' => q{INSERT INTO nexus.notification_preferences VALUES ('u1', 'chatter', false)},
	'nexus.rate_buckets' => q{INSERT INTO nexus.rate_buckets (scope, capacity, per_second, tokens) VALUES ('x:1', 10, 1, 10)},
	'nexus.publish_attempts' => q{
		INSERT INTO nexus.publish_attempts (platform_post_id, attempt, lease_token, idempotency_key) VALUES (1, 1, 1, gen_random_uuid())},
);
my %condition = map { split /\|/, $_, 2 } split /\n/, $node->safe_psql('source', q{
	SELECT c.oid::regclass, u.condition FROM pg_extension e, unnest(e.extconfig, e.extcondition) u(oid, condition) JOIN pg_class c USING (oid)
	 WHERE e.extname = 'creatornexus' AND c.relkind = 'r'});
my @tables = sort keys %condition;
$node->safe_psql('source', $row{$_}) for grep { exists $row{$_} } @tables;
cmp_ok(scalar(@tables), '>=', 4, 'the extension has tables that are dumped');
cmp_ok($node->safe_psql('source', "SELECT count(*) FROM $_ $condition{$_}"), '>', 0, "$_ has a row to be dumped (else add one to this test)")
  for @tables;
is( $node->safe_psql('source', q{
		SELECT string_agg(s.oid::regclass::text, ' ' ORDER BY 1)
		  FROM pg_extension e CROSS JOIN unnest(e.extconfig) t(oid)
		  JOIN pg_depend d ON d.refobjid = t.oid AND d.deptype IN ('a', 'i') AND d.classid = 'pg_class'::regclass
		  JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
		 WHERE e.extname = 'creatornexus' AND s.oid <> ALL (e.extconfig)}),
	'', 'where a table is dumped, so is its sequence');

# States of aggregates in a table of the user's.
$node->safe_psql('source', q{
	CREATE TABLE states AS SELECT g % 3 AS id, nexus.metrics_agg(g, 9223372036854775807, NULL, g, g, g, g, NULL) AS sums,
	  nexus.counter_agg('2026-01-01'::timestamptz + g * interval '1 h', g % 7 + 0.5, 'correction', g) AS counter,
	  nexus.quantile_agg(g / 7.0) AS quantiles, nexus.distinct_agg(g, 11) AS viewers, nexus.topk_agg('tag ' || g % 20, g, 5) AS tags
	FROM generate_series(1::bigint, 2000) g GROUP BY 1});

# Transaction numbers are the server's own: what waits to be folded gets new ones.
sub contents
{
	my ($db) = @_;
	my %shown = map { $_ => q{to_jsonb(t) - 'xact'} } qw(nexus.hashtag_delta nexus.hashtag_retractions);
	return join "\n", map { my $t = $shown{$_} // 't'; $node->safe_psql($db, "SELECT '$_', $t FROM $_ t ORDER BY t::text") } @tables,
	  qw(users social_accounts social_posts platform_posts content states);
}

for my $format ('plain', 'custom')
{
	my $file = $node->basedir . "/source.$format";
	$node->command_ok([ 'pg_dump', "--format=$format", '-f', $file, '-d', $node->connstr('source') ], "pg_dump, $format");
	$node->safe_psql('postgres', "CREATE DATABASE restored_$format");
	$node->command_ok(
		$format eq 'plain'
		? [ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr("restored_$format"), '-f', $file ]
		: [ 'pg_restore', '--exit-on-error', '-d', $node->connstr("restored_$format"), $file ], 'restore');
	is(contents("restored_$format"), contents('source'), 'the rows are the same, those of the extension included');
	# Reference rows come with the extension, once.
	is( $node->safe_psql("restored_$format", q{SELECT count(*) FROM nexus.transitions}),
		$node->safe_psql('source', q{SELECT count(*) FROM nexus.transitions}), 'reference rows are not doubled');
	($code, $output) = sqitch($node, "restored_$format", 'verify');
	is($code, 0, 'the manifest is the same') or diag($output);
	($code, $output) = sqitch($node, "restored_$format", 'status');
	like($output, qr/Name:\s+attach.*Nothing to deploy/s, 'sqitch knows the changes');
	is( $node->safe_psql("restored_$format", q{
			INSERT INTO nexus.jobs (kind) VALUES ('notify') RETURNING id; SELECT nextval('nexus.lease_token')}),
		"4\n3", 'sequences go on where they were');
	is($node->safe_psql("restored_$format", q{DELETE FROM platform_posts; SELECT count(*) FROM nexus.publish_attempts}), '0',
		'the triggers work');
}
is(dump_schema($node, 'restored_plain'), dump_schema($node, 'restored_custom'), 'both restores have one catalogue');

# What a second dump prints is what the first one did: no definition changes its text on the way.
sub check_text
{
	my ($db) = @_;
	return $node->safe_psql($db, q{
		SELECT string_agg(conname || pg_get_constraintdef(oid), E'\n' ORDER BY conname) FROM pg_constraint
		 WHERE contype = 'c' AND connamespace = 'public'::regnamespace
		   AND conname NOT IN ('check_content_type', 'check_project_type', 'check_post_status')});
}
is(check_text('restored_plain'), check_text('source'), 'rules keep their text, the original\'s three aside');

$node->stop;
done_testing();
