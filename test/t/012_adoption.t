# A database that began with the original application's tables and rows is brought up by four commands:
#   sqitch deploy --to extension       (then SELECT * FROM nexus.attach_report('public') says what old rows break)
#   sqitch deploy --log-only --to 0002_add_database_constraints
#   sqitch deploy
#   sqitch verify
# What old rows break stays NOT VALID; no row is lost, no owner changes, the application goes on.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NexusTest qw(root start_node sqitch run_psql dump_schema);

my $node = start_node('adoption');
my ($code, $output);
$node->safe_psql('postgres', 'CREATE ROLE drizzle LOGIN');

# What a change of the original does: the body of its deploy script, without what we add around it.
sub original
{
	my ($change) = @_;
	my $script = slurp_file(root() . "/sql/schema/deploy/$change.sql");
	$script =~ s/\A.*?^((?:CREATE TABLE|ALTER TABLE) \w+)/$1/ms;
	$script =~ s/^COMMIT;//m;
	return $script;
}

my $password = '$2b$12$' . ('a' x 53);

# A database of the application, up to one of its own migrations, with rows; some break rules that we add.
sub original_database
{
	my ($db, @changes) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'GRANT CREATE ON SCHEMA public TO drizzle');
	$node->safe_psql($db, join("\n", 'SET ROLE drizzle;', map { original($_) } @changes));
	$node->safe_psql($db, qq{
		INSERT INTO users (id, email, password, first_name, last_name) VALUES
		  ('u1', 'ann\@example.org', '$password', 'Ann', 'A'), ('u2', 'no address', '$password', 'Bob', 'B');
		INSERT INTO projects (user_id, name, type, status) VALUES ('u1', 'p1', 'campaign', 'active'), ('u1', 'p2', 'video', NULL);
		INSERT INTO content (user_id, project_id, title, platform, content_type, status, created_at) VALUES
		  ('u1', 1, 'c1', 'instagram', 'video', 'draft', '2025-01-02 03:04:05'), ('u1', 1, 'c2', 'youtube', 'text', NULL, '2025-02-02'),
		  ('u2', NULL, 'c3', 'x', 'image', 'scheduled', '2025-03-03');
		INSERT INTO sessions VALUES ('s1', '{"passport": {"user": "u1"}}', '2030-01-01'), ('s2', '{"userId": "u2"}', '2030-01-01'),
		  ('s3', '{"passport": {"user": {"id": "u1"}}}', '2030-01-01'), ('s4', '{}', '2030-01-01');
		INSERT INTO social_accounts (user_id, platform, account_id, account_name, access_token) VALUES
		  ('u1', 'instagram', '17', 'ann', 'plain'), ('u2', 'x', '18', 'bob', NULL);
		INSERT INTO social_posts (user_id, project_id, title, content_type) VALUES ('u1', 1, 's1', 'reel'), ('u1', NULL, 's2', 'post');
		INSERT INTO platform_posts (social_post_id, platform, account_id, status, published_at, platform_post_id) VALUES
		  (1, 'instagram', 1, 'published', '2025-04-04', 'remote1'), (2, 'instagram', 1, 'draft', NULL, NULL);
		INSERT INTO post_schedules (social_post_id, platform, scheduled_at) VALUES (1, 'instagram', '2025-05-05');
		INSERT INTO post_media (social_post_id, media_type, media_url, file_name, dimensions) VALUES
		  (1, 'image', 'https://example.org/1.png', '1.png', '{"width": 10, "height": 20}'),
		  (2, 'image', 'https://example.org/2.png', '2.png', '{"width": "wide", "height": 20}');
		INSERT INTO content_metrics (content_id, platform, views, last_updated) VALUES
		  (1, 'instagram', 1, '2025-06-06'), (1, 'instagram', 2, '2025-06-06'), (1, 'instagram', 3, '2025-06-06 00:00:00.000001'),
		  (1, 'instagram', 4, NULL), (1, 'youtube', 5, '2025-06-06'), (2, 'instagram', 6, '2025-06-06');
		INSERT INTO notifications (user_id, type, title, message, is_read) VALUES ('u1', 'ai_complete', 't', 'm', true);
		INSERT INTO niches (name, category, difficulty, profitability) VALUES ('n1', 'food', 'easy', 'high'), ('n2', 'food', 'Hard', 'high');
		INSERT INTO hashtag_suggestions (platform, category, hashtag) VALUES ('instagram', 'food', '#pasta'), ('instagram', 'food', 'pizza');
		INSERT INTO templates (title, description, category, type) VALUES ('t1', 'd', 'video', 'x');
		INSERT INTO ai_generation_tasks (user_id, task_type, prompt, status) VALUES ('u1', 'script', 'p', 'completed');
		INSERT INTO ai_content_suggestions (user_id, suggestion_type, platform, content) VALUES ('u1', 'caption', 'instagram', 'c');});
	return;
}

# Rows of all tables, in the columns of the original.
sub original_rows
{
	my ($db) = @_;
	my @columns = split /\n/, $node->safe_psql('like_it', q{
		SELECT format('SELECT %L, string_agg(md5(ROW(%s)::text), '','' ORDER BY ROW(%s)::text) FROM %I', table_name, list, list, table_name)
		  FROM (SELECT table_name, string_agg(format('%I::text', column_name), ', ' ORDER BY ordinal_position) AS list
		          FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name) t ORDER BY table_name});
	return join "\n", map { $node->safe_psql($db, $_) } @columns;
}
$node->safe_psql('postgres', 'CREATE DATABASE like_it');
$node->safe_psql('like_it', original('0000_base'));

my @original = qw(0000_base 0001_add_recurrence_fields 0002_add_database_constraints);
for my $known (1, 3)
{
	my $db = "adopted$known";
	my $last = $original[ $known - 1 ];
	original_database($db, @original[ 0 .. $known - 1 ]);
	if ($known == 3)
	{
		$node->safe_psql($db, q{
			ALTER TABLE platform_posts RENAME CONSTRAINT platform_posts_account_id_fkey TO platform_posts_account_id_social_accounts_id_fk;
			ALTER TABLE users RENAME CONSTRAINT users_email_key TO users_email_unique;
			UPDATE post_schedules SET timezone = 'Mars/Base', recurrence = 'weekly'});
	}
	my $before = original_rows($db);

	($code, $output) = sqitch($node, $db, 'deploy', '--to', 'extension');
	is($code, 0, "$db: the extension and the roles") or diag($output);
	my $report = $node->safe_psql($db, q{SELECT DISTINCT rule FROM nexus.attach_report('public') WHERE rows > 0});
	($code, $output) = sqitch($node, $db, 'deploy', '--log-only', '--to', $last);
	is($code, 0, "$db: what is there already is noted") or diag($output);
	($code, $output) = sqitch($node, $db, 'verify');
	is($code, 0, "$db: and is what the original has") or diag($output);
	($code, $output) = sqitch($node, $db, 'deploy');
	is($code, 0, "$db: deploy") or diag($output);
	like($output, qr/rule users_email_shape on users stays NOT VALID/, 'warns of a rule that old rows break');
	unlike($output, qr/no address/, 'and shows no row');
	($code, $output) = sqitch($node, $db, 'verify');
	is($code, 0, "$db: verify") or diag($output);

	is(original_rows($db), $before, 'all rows are there as they were');
	my @broken = sort (qw(ai_tasks_final_pair ai_tasks_result_pair content_scheduled_has_time hashtag_shape niches_difficulty_check
		notifications_read_pair post_media_dims social_accounts_token_sealed users_email_shape), $known == 3 ? 'post_schedules_tz' : ());
	is( $node->safe_psql($db, q{
			SELECT string_agg(conname, ' ' ORDER BY conname COLLATE "C") FROM pg_constraint
			 WHERE connamespace = 'public'::regnamespace AND NOT convalidated}),
		"@broken", 'exactly the rules that rows break are not valid');
	for my $rule (@broken)
	{
		like($report, qr/\b$rule\b/, "attach_report had named $rule");
	}
	is( $node->safe_psql($db, q{SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'public'}),
		'drizzle', 'the tables keep their owner');
	is( $node->safe_psql($db, q{
			SELECT string_agg(views || ' ' || captured_at, ', ' ORDER BY id) FROM content_metrics}),
		'1 2025-06-06 00:00:00, 2 2025-06-06 00:00:00.000001, 3 2025-06-06 00:00:00.000002, 4 2025-01-02 03:04:05, '
		. '5 2025-06-06 00:00:00, 6 2025-06-06 00:00:00', 'snapshots are dated, and apart by microseconds');
	is($node->safe_psql($db, q{SELECT string_agg(COALESCE(user_id, '-'), ' ' ORDER BY sid) FROM sessions}), 'u1 u2 u1 -',
		'sessions know their user');
	is($node->safe_psql($db, q{SELECT count(created_at) FROM sessions}), '0', 'and claim no time of creation');

	# The application as it was: its role, its columns.
	my ($status, $stdout, $stderr) = $node->psql($db, qq{
		BEGIN;
		INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u3', 'cid\@example.org', '$password', 'Cid', 'C');
		INSERT INTO content (user_id, title, platform, content_type) VALUES ('u3', 'new', 'instagram', 'text') RETURNING status;
		UPDATE users SET first_name = 'Anna' WHERE id = 'u1' RETURNING first_name;
		DELETE FROM users WHERE id = 'u3' RETURNING id;
		COMMIT}, extra_params => [ '-U', 'drizzle', '-v', 'ON_ERROR_STOP=1' ]);
	is("$status $stdout", "0 draft\nAnna\nu3", 'the application goes on') or diag($stderr);

	is( $node->safe_psql($db, q{
			SELECT string_agg(table_name || ' ' || COALESCE(mode, 'error'), ', ' ORDER BY table_name)
			  FROM nexus.attached_tables LEFT JOIN nexus.enforcement USING (table_name) WHERE mode IS DISTINCT FROM 'warn'}),
		'content_metrics error, sessions error', 'guards warn, so that it goes on with what it writes');
	($status, $stdout, $stderr) = $node->psql($db, q{
		INSERT INTO content (user_id, title, platform, content_type) VALUES ('u1', '', 'instagram', 'text') RETURNING title},
		extra_params => [ '-U', 'drizzle' ]);
	is($status, 0, 'such as content without a title');
	like($stderr, qr/WARNING/, 'and is told');
	$node->safe_psql($db, q{DELETE FROM content WHERE title = ''});

	# Repaired rows let a rule become valid; one that could be valid and is not is reported.
	$node->safe_psql($db, q{SET session_replication_role = replica; UPDATE niches SET difficulty = 'hard' WHERE difficulty = 'Hard'});
	($code, $output) = sqitch($node, $db, 'verify');
	like($output, qr/constraint niches\.niches_difficulty_check, validated: expected true, found false/, 'verify names a rule that nothing breaks any more');
	$node->safe_psql($db, 'ALTER TABLE niches VALIDATE CONSTRAINT niches_difficulty_check');
	($code, $output) = sqitch($node, $db, 'verify');
	is($code, 0, 'and passes once it is validated') or diag($output);

	($code, $output) = sqitch($node, $db, 'revert', '-y', '--to', $last, '--set', 'allow_data_loss=yes');
	is($code, 0, "$db: back to the original") or diag($output);
	($code, $output) = sqitch($node, $db, 'verify');
	is($code, 0, 'which is what it was') or diag($output);
}

# A later version of the application has columns of its own; they are named, and passed over when told so.
original_database('later', @original);
$node->safe_psql('later', 'ALTER TABLE content ADD COLUMN day_number integer, ADD COLUMN is_paused boolean DEFAULT false;
	ALTER TABLE users ADD COLUMN nickname text');
sqitch($node, 'later', 'deploy', '--to', 'extension');
sqitch($node, 'later', 'deploy', '--log-only', '--to', $original[2]);
($code, $output) = sqitch($node, 'later', 'deploy');
is($code, 0, 'columns of its own do not hinder the deploy') or diag($output);
($code, $output) = sqitch($node, 'later', 'verify');
like($output, qr/column content\.day_number, definition: expected nothing, found integer/, 'verify names them');
my $own = 'own_columns=content.day_number, content.is_paused,users.nickname';
($code, $output) = sqitch($node, 'later', 'verify', '--set', $own);
is($code, 0, 'and passes over those it is told of') or diag($output);
$node->safe_psql('later', 'ALTER TABLE content DROP COLUMN day_number, ADD COLUMN stray integer, DROP COLUMN script');
($code, $output) = sqitch($node, 'later', 'verify', '--set', $own);
like($output, qr/column content\.script, .*found nothing\ncolumn content\.stray, .*expected nothing/, 'but over no other');

# Rows that share a new key are listed before anything is changed.
original_database('doubled', @original);
$node->safe_psql('doubled', qq{
	INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u3', 'Ann\@example.org', '$password', 'Ann', 'A');
	INSERT INTO social_accounts (user_id, platform, account_id, account_name) VALUES ('u1', 'instagram', '17', 'ann again');
	INSERT INTO hashtag_suggestions (platform, category, hashtag) VALUES ('instagram', 'food', 'Pizza');
	INSERT INTO platform_posts (social_post_id, platform, account_id, platform_post_id) VALUES (1, 'instagram', 1, 'remote1')});
sqitch($node, 'doubled', 'deploy', '--to', 'extension');
sqitch($node, 'doubled', 'deploy', '--log-only', '--to', $original[2]);
my $before = dump_schema($node, 'doubled');
($code, $output) = sqitch($node, 'doubled', 'deploy');
isnt($code, 0, 'rows that share a new key stop the deploy');
like($output, qr/4 groups of rows share a key/, 'with their number');
like($output, qr/"key": "\Q$_->[0]\E",\s+"rows": \[\s*\Q$_->[1]\E,\s*\Q$_->[2]\E\s*\]/, "the ids of the double $_->[0]")
  for [ 'lower(email)', '"u1"', '"u3"' ], [ 'user_id, platform, account_id', 1, 3 ], [ 'platform, category, lower(hashtag)', 2, 3 ],
  [ 'account_id, platform_post_id', 1, 3 ];
unlike($output, qr/ann\@example\.org/i, 'and no address');
is(dump_schema($node, 'doubled'), $before, 'nothing was changed');
$node->safe_psql('doubled', q{
	DELETE FROM users WHERE id = 'u3'; DELETE FROM social_accounts WHERE id = 3; DELETE FROM hashtag_suggestions WHERE id = 3;
	DELETE FROM platform_posts WHERE id = 3});
($code, $output) = sqitch($node, 'doubled', 'deploy');
is($code, 0, 'after which it goes through') or diag($output);

$node->stop;
done_testing();
