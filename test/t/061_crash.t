# Workers that die at every step of claim, begin and finish, and a server that stops at once: counted on the side of the
# platform, nothing is lost and nothing is published twice. The platform here is a table in another database: it keeps
# what it was sent whatever happens to the worker.
use strict;
use warnings;
use Test::More;
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep);
use PostgreSQL::Test::Utils;
use NexusTest qw(start_node deploy);

my $posts = $ENV{NEXUS_CRASH_POSTS} // 120;
my $kills = $ENV{NEXUS_CRASH_KILLS} // 24;
my $node = start_node('crash', 'fsync = on', 'max_connections = 40', 'restart_after_crash = on');
deploy($node, 'app');
$node->safe_psql('postgres', 'CREATE DATABASE platform');
$node->safe_psql('platform', 'CREATE TABLE received (seq serial, key uuid, post integer)');
my $hash = q{$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA};

# Half of the accounts are on a platform that can be asked, half on one that cannot.
$node->safe_psql('app', qq{
INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'a\@example.org', '$hash', 'A', 'A');
INSERT INTO social_accounts (id, user_id, platform, account_id, account_name) SELECT i, 'ann', CASE WHEN i % 2 = 0 THEN 'bluesky' ELSE 'x' END, i, 'A' FROM generate_series(1, 6) i;
INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT i, 'ann', 't', 'text ' || i, 'post' FROM generate_series(1, $posts) i;
INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at)
SELECT i, i, i % 6 + 1, CASE WHEN (i % 6 + 1) % 2 = 0 THEN 'bluesky' ELSE 'x' END, 'scheduled', nexus.utcnow() FROM generate_series(1, $posts) i;
});

# A worker in one psql: the steps are transactions of their own, the sending another connection. It is killed anywhere.
my $platform = $node->connstr('platform');
my $worker = q{
SELECT id, ref_id, lease_token, payload ->> 'platform' AS platform FROM nexus.claim_jobs('{publish}', lease => '2 s') \gset
\if :{?id}
  SELECT nexus.publish_task(:id, :lease_token) -> 'verify' ->> 'attempt' AS open, nexus.publish_task(:id, :lease_token) ->> 'idempotency_key' AS key \gset
  SELECT :'open' <> '' AS verify, :'platform' = 'bluesky' AS can_ask \gset
  \if :verify
    \if :can_ask
      \setenv KEY :key
      \set there `psql -XqAt -d "$PLATFORM" -c "SELECT count(*) FROM received WHERE key = '$KEY'"`
      SELECT nexus.finish_publish(:ref_id, :open, :lease_token, CASE WHEN :there > 0 THEN 'verified_present' ELSE 'verified_absent' END, 'remote ' || :ref_id) AS after \gset
    \else
      SELECT nexus.finish_publish(:ref_id, :open, :lease_token, 'unknown') AS after \gset
    \endif
  \else
    SELECT 'scheduled' AS after \gset
  \endif
  SELECT :'after' = 'scheduled' AS send \gset
  \if :send
    SELECT nexus.begin_publish(:ref_id, :id, :lease_token) AS attempt \gset
    \if :{?attempt}
      \setenv KEY :key
      \setenv POST :ref_id
      \! psql -Xq -d "$PLATFORM" -c "INSERT INTO received (key, post) VALUES ('$KEY', $POST)"
      SELECT nexus.finish_publish(:ref_id, :attempt, :lease_token, 'ok', 'remote ' || :ref_id);
    \endif
  \endif
\else
  SELECT pg_sleep(0.05);
\endif
\unset id
\unset attempt
\unset verify
};
my $script = $node->basedir . '/worker.sql';
append_to_file($script, $worker x 400);
$ENV{PLATFORM} = $platform;

sub start_worker
{
	my $pid = fork() // die "fork: $!";
	return $pid if $pid;
	open(STDOUT, '>', '/dev/null');
	open(STDERR, '>', '/dev/null');
	exec('psql', '-Xq', '-d', $node->connstr('app') . ' application_name=worker', '-f', $script) or POSIX::_exit(1);
}

# psql may find the server away, before or while it speaks: no answer then.
sub ask
{
	my ($query) = @_;
	my (undef, $answer) = eval { $node->psql('app', $query) };
	return $answer // '';
}

# Seconds until nothing is left; each round kills a worker's backend or the worker, once the whole server.
my @workers = map { start_worker() } 1 .. 3;
my $killed = 0;
my $stopped = 0;
my $left = $posts;
srand($ENV{NEXUS_CRASH_SEED} // 7);
for my $round (1 .. 1000)
{
	sleep(0.03 + rand() * 0.15);
	if ($killed < $kills)
	{
		my $which = int(rand(@workers));
		my $how = rand();
		if ($how < 0.1)
		{
			# a backend that is killed takes all sessions along, and the server recovers by itself
			my $pid = ask("SELECT pid FROM pg_stat_activity WHERE application_name = 'worker' LIMIT 1");
			kill 'KILL', $pid if $pid =~ /^\d+$/;
			sleep(0.3);
			$node->poll_query_until('postgres', 'SELECT true');
		}
		elsif ($how < 0.5)
		{
			ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'worker' ORDER BY random() LIMIT 1");
		}
		else
		{
			kill 'KILL', $workers[$which];
		}
		$killed++;
		if ($killed == int($kills / 2) && !$stopped++)
		{
			$node->stop('immediate');
			$node->start;
		}
	}
	for my $w (@workers)
	{
		$w = start_worker() if waitpid($w, WNOHANG) != 0;
	}
	next if $round % 10;
	ask('SELECT nexus.tick()');
	my $count = ask("SELECT count(*) FROM platform_posts WHERE status NOT IN ('published', 'unconfirmed')");
	$left = $count if $count =~ /^\d+$/;
	last if $left == 0 && $killed >= $kills;
}
kill 'KILL', @workers;
waitpid($_, 0) for @workers;
note("$killed kills, $left left");
is($left, 0, 'everything came to an end');
my $received = $node->safe_psql('platform', 'SELECT count(*), count(DISTINCT post) FROM received');
my %states = map { split /\|/ } split /\n/, $node->safe_psql('app', 'SELECT status, count(*) FROM platform_posts GROUP BY 1');
note("received $received; " . join(', ', map {"$_ $states{$_}"} sort keys %states));
is($node->safe_psql('platform', 'SELECT count(*) FROM (SELECT FROM received GROUP BY post HAVING count(*) > 1) AS twice'), '0', 'nothing was published twice');
my $published = $node->safe_psql('app', "SELECT string_agg(id::text, ',') FROM platform_posts WHERE status = 'published'");
is($node->safe_psql('platform', "SELECT count(DISTINCT post) FROM received WHERE post IN ($published)"), $states{published}, 'what is published has arrived');
my $unsent = $node->safe_psql('app', "SELECT string_agg(id::text, ',') FROM platform_posts WHERE status = 'unconfirmed' AND platform = 'bluesky'");
is($unsent, '', 'what can be verified is not unconfirmed');
is($node->safe_psql('app', 'SELECT count(*) FROM nexus.due_without_job()'), '0', 'no due post without a job or a reason');
is($node->safe_psql('app', "SELECT count(*) FROM nexus.publish_attempts WHERE ended_at IS NULL"), '0', 'no attempt is left open');
is($node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE state IN ('ready', 'leased') AND kind = 'publish'"), '0', 'no job is left');
is($node->safe_psql('app', "SELECT count(*) FROM (SELECT entity_id FROM notifications WHERE type = 'post_published' GROUP BY 1 HAVING count(*) > 1) AS twice"), '0', 'nobody is told twice');
$node->stop;
done_testing();
