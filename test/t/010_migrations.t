# The schema's changes deploy, verify and revert; a revert refuses to lose rows; sqitch names a script edited afterwards.
use strict;
use warnings;
use Test::More;
use PostgreSQL::Test::Utils;
use NexusTest qw(root start_node sqitch dump_schema);

my $node = start_node('migrations');
my ($code, $output);

sub sqitch_ok
{
	my ($db, $name, $command, @arguments) = @_;
	($code, $output) = sqitch($node, $db, $command, @arguments);
	is($code, 0, $name) or diag($output);
	return;
}

# Deploy, revert, deploy.
$node->safe_psql('postgres', 'CREATE DATABASE fresh');
sqitch_ok('fresh', 'deploy with a verify after each change', 'deploy', '--verify');
my $deployed = dump_schema($node, 'fresh');
like($deployed, qr/CREATE TABLE public\.users/, 'the dump to compare with holds the tables');
sqitch_ok('fresh', 'verify', 'verify');
is( $node->safe_psql('fresh', q{
		SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'public'}),
	'nexus_owner', 'the tables belong to nexus_owner');
is($node->safe_psql('fresh', q{SELECT count(*) FROM nexus.enforcement}), '0', 'and the guards refuse, which is the default');
is( $node->safe_psql('fresh', q{
		SELECT count(*) FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND NOT convalidated}),
	'0', 'all rules are valid where there are no rows');

sqitch_ok('fresh', 'revert everything', 'revert', '-y');
is($node->safe_psql('fresh', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace}),
	'0', 'nothing is left in the schema');
is($node->safe_psql('fresh', q{SELECT count(*) FROM pg_namespace WHERE nspname = 'nexus'}), '0', 'nor of the extension');
is($node->safe_psql('fresh', q{SELECT count(*) FROM pg_roles WHERE rolname ~ '^nexus_'}), '0', 'nor of its roles');
sqitch_ok('fresh', 'deploy again', 'deploy');
is(dump_schema($node, 'fresh'), $deployed, 'the same catalogue');

# Each change's revert leads back to what the change before it had made.
my @changes = map { /^(\w+) / ? $1 : () } split /\n/, slurp_file(root() . '/sql/schema/sqitch.plan');
for my $before (reverse @changes[ 0 .. $#changes - 1 ])
{
	sqitch_ok('fresh', "revert to $before", 'revert', '-y', '--to', $before);
	sqitch_ok('fresh', "the catalogue is that of $before", 'verify');
}
sqitch_ok('fresh', 'deploy a third time', 'deploy');
is(dump_schema($node, 'fresh'), $deployed, 'the same catalogue');

# Another schema; roles that another database uses stay.
$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
sqitch_ok('elsewhere', 'deploy into a schema of choice', 'deploy', '--verify', '--set', 'schema=my app');
is($node->safe_psql('elsewhere', q{SELECT count(*) FROM pg_tables WHERE schemaname = 'my app'}), '16', 'its 16 tables');
is($node->safe_psql('elsewhere', q{SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace}), '0', 'and none in public');
is($node->safe_psql('elsewhere', q{SELECT nexus.attached_schema()}), 'my app', 'which is attached');
sqitch_ok('elsewhere', 'verify it', 'verify', '--set', 'schema=my app');
($code, $output) = sqitch($node, 'elsewhere', 'verify');
isnt($code, 0, 'verify of the wrong schema fails');
sqitch_ok('elsewhere', 'revert it', 'revert', '-y', '--set', 'schema=my app');
is($node->safe_psql('elsewhere', q{SELECT count(*) FROM pg_namespace WHERE nspname IN ('my app', 'nexus')}), '0', 'the schema that deploy made is gone');
is($node->safe_psql('elsewhere', q{SELECT count(*) FROM pg_roles WHERE rolname ~ '^nexus_'}), '5', 'the roles stay for the other database');

# A revert that would lose something refuses and changes nothing.
$node->safe_psql('fresh', q{
	INSERT INTO users (id, email, password, first_name, last_name) VALUES ('u1', 'u1@example.org',
	  '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0$' || repeat('A', 43), 'U', 'One');
	INSERT INTO social_posts (user_id, title, content_type) VALUES ('u1', 'p', 'post');
	INSERT INTO post_schedules (social_post_id, platform, scheduled_at, recurrence, timezone, max_retries)
	  VALUES (1, 'x', '2026-01-01', 'daily', 'Europe/Berlin', 9)});
($code, $output) = sqitch($node, 'fresh', 'revert', '-y', '--to', '0002_add_database_constraints');
isnt($code, 0, 'a revert that loses values of columns is refused');
like($output, qr/would lose what 1 rows hold.*post_schedules: 1 .*allow_data_loss=yes/s, 'with the count and the way out');
is($node->safe_psql('fresh', q{SELECT max_retries FROM post_schedules}), '9', 'and has lost nothing');
sqitch_ok('fresh', 'a revert that may', 'revert', '-y', '--to', '0002_add_database_constraints', '--set', 'allow_data_loss=yes');
sqitch_ok('fresh', 'leads to the same catalogue', 'verify');
($code, $output) = sqitch($node, 'fresh', 'revert', '-y', '--to', '0000_base');
like($output, qr/would lose.*post_schedules: 1 \(recurrence/s, 'the original\'s columns are guarded too');
sqitch_ok('fresh', 'revert them', 'revert', '-y', '--to', '0000_base', '--set', 'allow_data_loss=yes');
($code, $output) = sqitch($node, 'fresh', 'revert', '-y', '--to', 'extension');
like($output, qr/would lose what 3 rows hold.*post_schedules: 1 .*social_posts: 1 .*users: 1 /s, 'and the tables with their rows');
$node->safe_psql('fresh', q{DELETE FROM users});
sqitch_ok('fresh', 'which may go when they are empty', 'revert', '-y', '--to', 'extension');
sqitch_ok('fresh', 'deploy once more', 'deploy');

# An edited script.
my $copy = PostgreSQL::Test::Utils::tempdir();
system('cp', '-r', root() . '/sql/schema/.', $copy) == 0 or die 'no copy of the schema';
{
	local $NexusTest::schema_folder = $copy;
	sqitch_ok('fresh', 'check finds the deployed scripts unchanged', 'check');
	append_to_file("$copy/deploy/0002_add_database_constraints.sql", "-- edited\n");
	($code, $output) = sqitch($node, 'fresh', 'check');
	isnt($code, 0, 'check fails when one was edited');
	like($output, qr/0002_add_database_constraints/, 'and names it');
	unlike($output, qr/0001_add_recurrence_fields/, 'and no other');
}

# A deploy that cannot get its lock gives up and leaves nothing.
sqitch_ok('fresh', 'back before the hardening', 'revert', '-y', '--to', '0002_add_database_constraints');
my $blocker = $node->background_psql('fresh');
$blocker->query_safe('BEGIN; LOCK TABLE niches IN SHARE MODE');
($code, $output) = sqitch($node, 'fresh', 'deploy', '--set', 'lock_timeout=200ms');
isnt($code, 0, 'deploy does not wait behind a long lock for ever');
like($output, qr/lock timeout/, 'and says why');
$blocker->query_safe('COMMIT');
$blocker->quit;
sqitch_ok('fresh', 'nothing of it stays', 'verify');
sqitch_ok('fresh', 'and it works later', 'deploy', '--verify', '--to', '0003_hardening');

# What a concurrent build left half-done is built anew, what it finished is kept.
$node->safe_psql('fresh', q{
	CREATE INDEX content_due_idx ON content (scheduled_at) WHERE status = 'scheduled';
	CREATE INDEX content_tags_gin ON content USING gin (tags);
	UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'content_due_idx'::regclass});
my $kept = $node->safe_psql('fresh', q{SELECT 'content_tags_gin'::regclass::oid});
sqitch_ok('fresh', 'deploy after a build that broke off', 'deploy', '--verify');
is($node->safe_psql('fresh', q{SELECT 'content_tags_gin'::regclass::oid}), $kept, 'keeps an index that was finished');

$node->stop;
done_testing();
