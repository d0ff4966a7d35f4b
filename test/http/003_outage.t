# The database goes and comes: 503 at once, back by itself, nothing invented. And the bridge ends in order.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use NexusTest qw(start_node);
use NexusBridge;

my $node = start_node('outage');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO visitor;
	CREATE TABLE api.log (n serial);
	GRANT ALL ON api.log, api.log_n_seq TO visitor;
	CREATE FUNCTION api.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
	CREATE FUNCTION api.slow(seconds double precision) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO api.log DEFAULT VALUES; PERFORM pg_sleep(seconds); RETURN 1; END $$;
	CREATE FUNCTION api.rows_then_stop() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT 'row' FROM generate_series(1, 1000); PERFORM pg_sleep(20); END $$;
});
my %settings = (db_schemas => 'api', db_anon_role => 'visitor', server_threads => 1, db_pool => 3, db_pool_acquisition_timeout => 1,
	admin_server_port => PostgreSQL::Test::Cluster::get_free_port());
my $bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready');
my $admin = HTTP::Tiny->new(timeout => 5);
my $admin_url = "http://127.0.0.1:$settings{admin_server_port}";
is($admin->get("$admin_url/$_")->{status}, 200, "admin port: $_") for qw(live ready);
is($bridge->get('/rpc/add?a=1&b=2')->{content}, '3', 'a call');
like($admin->get("$admin_url/metrics")->{content}, qr/^# TYPE nexus_bridge_transactions_total counter\nnexus_bridge_transactions_total [1-9].*^nexus_bridge_db_connections [1-9]/ms, 'admin port: metrics');
is($admin->get("$admin_url/rpc/add?a=1&b=2")->{status}, 404, 'admin port: no calls');

# Runs a request in a child; gives a handle whose first line is "status seconds content".
sub in_background
{
	my ($method, $path, $body) = @_;
	pipe(my $read, my $write) or die "pipe: $!";
	my $pid = fork() // die "fork: $!";
	if (!$pid)
	{
		my $start = time;
		my $answer = $bridge->request($method, $path, $body);
		printf {$write} "%d %.2f %s\n", $answer->{status}, time - $start, $answer->{content} =~ s/\s+/ /gr;
		close $write;
		POSIX::_exit(0);
	}
	close $write;
	return { pid => $pid, out => $read };
}

sub answer_of
{
	my ($job) = @_;
	my $line = readline($job->{out}) // '0 0 ';
	waitpid($job->{pid}, 0);
	chomp $line;
	return split / /, $line, 3;
}

# stopped in the middle of requests
my @jobs = (in_background('POST', '/rpc/rows_then_stop', {}), in_background('POST', '/rpc/slow', { seconds => 20 }));
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'two requests run');
my $stopped = time;
$node->stop('immediate');
for my $job (@jobs)
{
	my ($status, $seconds, $content) = answer_of($job);
	is($status, 503, 'stopped in the middle: 503');
	like($content, qr/"code":"PGRST001"/, 'with its code');
	unlike($content, qr/row/, 'and no rows');
}
my $start = time;
my $down = $bridge->get('/rpc/add?a=1&b=2');
is("$down->{status} $down->{headers}{'retry-after'}", '503 1', 'away: 503 with Retry-After');
cmp_ok(time - $start, '<', 1, 'within a second');
is($down->{json}{code}, 'PGRST000', 'and says why');
is($bridge->get('/ready')->{status}, 503, 'not ready');
is($bridge->get('/live')->{status}, 200, 'but alive');
is($admin->get("$admin_url/ready")->{status}, 503, 'nor is the admin port');
my $slowest = 0;
for (1 .. 50)
{
	my $begin = time;
	my $status = $bridge->rpc('add', { a => 1, b => 2 })->{status};
	$slowest = time - $begin if time - $begin > $slowest;
	if ($status != 503) { fail("a request answered $status"); last }
	sleep 0.02;
}
cmp_ok($slowest, '<', 1, sprintf('50 requests, each 503 within a second (slowest %.3f s)', $slowest));

# back by itself
$node->start;
$start = time;
my $served;
until ($served || time - $start > 10)
{
	$served = $bridge->get('/rpc/add?a=1&b=2')->{status} == 200;
	sleep 0.02;
}
my $recovery = time - $start;
ok($served, 'served again without a restart');
cmp_ok($recovery, '<', 2, sprintf('within two seconds (%.2f s)', $recovery));
ok($bridge->wait_ready(5), 'and ready');
is($node->safe_psql('postgres', 'SELECT count(*) FROM api.log'), '0', 'the cut request left nothing');

# single backends killed
for my $round (1 .. 5)
{
	$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gate'});
	ok((grep { $bridge->get('/rpc/add?a=1&b=2')->{status} == 200 } 1 .. 3) == 3, "idle connections ended: nobody notices ($round)");
}
my $victim = in_background('POST', '/rpc/slow', { seconds => 20 });
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
is((answer_of($victim))[0], 503, 'a backend ended under a request: 503');
is($bridge->get('/rpc/add?a=1&b=2')->{status}, 200, 'the next is served');

# calls that are slow may not take all connections
my @busy = map { in_background('POST', '/rpc/slow', { seconds => 3 }) } 1 .. 4;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'two of three connections sleep');
$start = time;
is($bridge->get('/rpc/add?a=1&b=2')->{status}, 200, 'fast ones are served beside them');
cmp_ok(time - $start, '<', 0.5, 'at once');
is($bridge->get('/live')->{status}, 200, 'alive meanwhile');
my @ends = sort { $a->[0] <=> $b->[0] } map { [ answer_of($_) ] } @busy;
is("@{[map { $_->[0] } @ends]}", '200 200 504 504', 'the others get no connection in time: 504');
like($ends[3][2], qr/"code":"PGRST003"/, 'with its code');
cmp_ok($ends[3][1], '<', 2, 'after the acquisition timeout');

# stopped in order
my $last = in_background('POST', '/rpc/slow', { seconds => 1.5 });
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
my $idle = $bridge->connect;
print {$idle} "GET /live HTTP/1.1\r\nHost: x\r\n\r\n";
sleep 0.2;
is($bridge->stop, 0, 'SIGTERM');
is((answer_of($last))[0], 200, 'what was in work is answered');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'gate'}), 'no connection stays');

# a request that does not end is cancelled
$bridge = NexusBridge->start($node, 'postgres', 'gate', %settings, shutdown_timeout => 1);
ok($bridge->wait_ready, 'again');
my $endless = in_background('POST', '/rpc/slow', { seconds => 25 });
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'});
$start = time;
is($bridge->stop, 0, 'SIGTERM with a request that does not end');
cmp_ok(time - $start, '<', 4, 'waits as long as it is told');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'}), 'and cancels the query');
answer_of($endless);

# started before the database
$node->stop;
$bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
my $status = 0;
for (1 .. 100)
{
	$status = $bridge->get('/rpc/add?a=1&b=2')->{status};
	last if $status == 503;
	sleep 0.05;
}
is($status, 503, 'started without a database: 503');
$node->start;
ok($bridge->wait_ready(5), 'ready when it comes');
is($bridge->get('/rpc/add?a=1&b=2')->{content}, '3', 'and serves');
$bridge->stop;
$node->stop;
done_testing();
