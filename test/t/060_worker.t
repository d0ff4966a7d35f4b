# The background worker: loaded at the server's start it ticks by itself, survives errors and a database that comes later;
# notifications reach a listener once for each transaction and user.
use strict;
use warnings;
use Test::More;
use IPC::Run ();
use Time::HiRes qw(time);
use PostgreSQL::Test::Utils;
use NexusTest qw(start_node deploy);

my $node = start_node('worker', "shared_preload_libraries = 'creatornexus'", "nexus.worker_database = 'app'", 'nexus.worker_interval = 200ms');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'creatornexus worker'"), '0',
	'no database, no worker at work');
deploy($node, 'app');
ok($node->poll_query_until('app', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'creatornexus worker' AND datname = 'app'"),
	'it comes when the database is there');

my $hash = q{$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA};
$node->safe_psql('app', qq{
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'a\@example.org', '$hash', 'A', 'A'), ('b"ob', 'b\@example.org', '$hash', 'B', 'B');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) VALUES (1, 'ann', 'bluesky', 'a', 'A');
INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (1, 'ann', 't', 'text', 'post');
INSERT INTO post_schedules (id, social_post_id, platform, scheduled_at, recurrence) VALUES (1, 1, 'bluesky', nexus.utcnow() + interval '1 hour', 'daily');
});
ok($node->poll_query_until('app', "SELECT count(*) = 1 FROM platform_posts WHERE schedule_id = 1 AND status = 'scheduled'"),
	'a schedule of any client is materialised');
is($node->safe_psql('app', "SELECT state FROM nexus.jobs WHERE ref_id = (SELECT id FROM platform_posts)"), 'ready', 'with its job');

# A lease that ends is taken back in time, although nobody claims.
$node->safe_psql('app', "SELECT nexus.enqueue_job('ai_task', 7); SELECT count(*) FROM nexus.claim_jobs('{default}', lease => '1 s')");
my $began = time;
ok($node->poll_query_until('app', "SELECT state = 'ready' FROM nexus.jobs WHERE ref_id = 7"), 'a lease that ended is reaped');
cmp_ok(time - $began, '<', 10, 'soon');

# A task that fails, and a worker that is killed.
$node->safe_psql('app', q{CREATE FUNCTION nexus.broken() RETURNS void LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''broken''; END';
INSERT INTO nexus.tick_tasks VALUES ('broken', 'broken', '0.1 s', true, 1)});
ok($node->poll_query_until('app', "SELECT error = 'broken' FROM nexus.tick_runs WHERE name = 'broken'"), 'a broken task is noted');
$node->safe_psql('app', "DELETE FROM nexus.tick_tasks WHERE name = 'broken'; SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'creatornexus worker'");
$node->safe_psql('app', 'UPDATE nexus.tick_runs SET last_run_at = now()');
ok($node->poll_query_until('app', "SELECT last_run_at > now() - interval '1 s' AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'creatornexus worker') FROM nexus.tick_runs WHERE name = 'materialise'"),
	'it comes back after it was ended');
is($node->safe_psql('app', 'SELECT count(*) FROM platform_posts'), '1', 'and makes nothing twice');

# DROP EXTENSION under a running worker does no harm to it.
$node->safe_psql('postgres', 'CREATE DATABASE other');
is($node->safe_psql('other', 'CREATE EXTENSION creatornexus; SELECT nexus.tick() ? $$purge_jobs$$'), 't', 'everything works in a database without a worker');

# Events
my ($in, $out) = ('', '');
my $listener = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('app') ], '<', \$in, '>', \$out, IPC::Run::timeout(60));
sub listen_for
{
	# psql shows behind the answer to a statement what has come meanwhile
	$in .= "SELECT 'mark$_[0]';\nSELECT 'end$_[0]';\n";
	$listener->pump until $out =~ /end$_[0]/;
	my @payloads = $out =~ /Asynchronous notification "nexus_notifications" with payload "(.*)" received/g;
	$out = '';
	return @payloads;
}
$in .= "LISTEN nexus_notifications;\n";
listen_for(1);
$node->safe_psql('app', q{BEGIN;
INSERT INTO notifications (user_id, type, title, message) SELECT u, 'ok', 't', i::text FROM generate_series(1, 3) i, unnest(ARRAY['ann', 'b"ob']) u ORDER BY i, u;
SELECT nexus.notify_user('ann', 'ok', 't', 'm');
COMMIT;});
my $first = $node->safe_psql('app', "SELECT string_agg(id::text, ' ' ORDER BY user_id) FROM (SELECT user_id, min(id) AS id FROM notifications GROUP BY 1) m");
my ($ann, $bob) = split / /, $first;
is_deeply([ sort(listen_for(2)) ], [ qq({"user":"ann","id":$ann}), qq({"user":"b\\"ob","id":$bob}) ], 'one event for each transaction and user, with the first id');
# each transaction anew, and a rolled back savepoint swallows nothing
$node->safe_psql('app', q{BEGIN; SAVEPOINT s; SELECT nexus.notify_user('ann', 'ok', 't', 'm'); ROLLBACK TO s; SELECT nexus.notify_user('ann', 'ok', 't', 'm'); COMMIT;
BEGIN; SELECT nexus.notify_user('ann', 'ok', 't', 'm'); ROLLBACK;});
is(scalar(listen_for(3)), 1, 'what is rolled back is not told, the rest is');
$in .= "\\q\n";
$listener->finish;

# Without preload: the settings are there, nothing runs, tick() does.
$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
is($node->safe_psql('app', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'creatornexus worker'"), '0', 'not loaded, no worker');
$node->safe_psql('app', "UPDATE nexus.tick_runs SET last_run_at = now() - interval '1 day'");
like($node->safe_psql('app', 'SELECT nexus.tick()'), qr/"materialise"/, 'tick() does the same');
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|server process .* was terminated by signal/, 'nothing crashed');

$node->stop;
done_testing();
