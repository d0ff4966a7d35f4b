# Clients that leave, close their half, are too many, or still wait when the bridge ends.
use strict;
use warnings;
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge;
use NexusTest qw(start_node);

my $node = start_node('come_and_go');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE TABLE log (n int);
	GRANT ALL ON log TO visitor;
	CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n;
	CREATE FUNCTION brief(n int) RETURNS int LANGUAGE sql STABLE AS 'SELECT n + 0 * count(*)::int FROM generate_series(1, 15000)';
	CREATE FUNCTION slow(seconds double precision, n int = 0) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (n); PERFORM pg_sleep(seconds); RETURN n; END $$;
});
my %settings = (db_schemas => 'public', db_anon_role => 'visitor', server_threads => 2, admin_server_port => PostgreSQL::Test::Cluster::get_free_port());
my $bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready');
my $asleep = q{SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'};

sub post
{
	my ($seconds, $n) = @_;
	my $body = qq({"seconds": $seconds, "n": $n});
	return "POST /rpc/slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
}

# All that comes until the end, or a pattern.
sub read_all
{
	my ($socket, $pattern, $seconds) = @_;
	my ($text, $end) = ('', time + ($seconds // 20));
	while (time < $end && !($pattern && $text =~ $pattern))
	{
		next unless IO::Select->new($socket)->can_read(0.1);
		last unless sysread($socket, $text, 65536, length $text);
	}
	return $text;
}

# left
for my $how ('close', 'reset')
{
	my $socket = $bridge->connect;
	print {$socket} post(20, 1);
	ok($node->poll_query_until('postgres', "SELECT ($asleep) = 1"), "a query runs ($how)");
	setsockopt($socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0)) if $how eq 'reset';
	close $socket;
	my $start = time;
	my $running = 1;
	while ($running && time - $start < 5) { $running = $node->safe_psql('postgres', $asleep) }
	is($running, 0, 'the client leaves: it is cancelled');
	cmp_ok(time - $start, '<', 1, sprintf('at once (%.2f s)', time - $start));
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '0', 'and undone');
is($bridge->get('/rpc/double?n=4')->{content}, '8', 'the connections are as good as before');
like($bridge->log_text, qr/"status":499/, 'the log knows of it');
like(HTTP::Tiny->new->get("http://127.0.0.1:$settings{admin_server_port}/metrics")->{content}, qr/^nexus_bridge_transactions_cancelled_total 2$/m, 'and so do the metrics');

# Calls of those that stay stand behind calls of those that leave, on one connection: what is cancelled is the latter.
{
	my $narrow = NexusBridge->start($node, 'postgres', 'gate', %settings, server_threads => 1, db_pool => 1, admin_server_port => 0, log_level => 'error');
	ok($narrow->wait_ready, 'ready with one connection');
	$narrow->get('/rpc/brief?n=1') for 1 .. 20;
	my $until = time + 4;
	my $leaving = fork() // die "fork: $!";
	if (!$leaving)
	{
		while (time < $until)
		{
			my $socket = $narrow->connect;
			syswrite($socket, "GET /rpc/brief?n=2 HTTP/1.1\r\nHost: x\r\n\r\n");
			sleep rand 0.004;
			setsockopt($socket, Socket::SOL_SOCKET(), Socket::SO_LINGER(), pack('ii', 1, 0));
			close $socket;
		}
		POSIX::_exit(0);
	}
	my @staying = map {
		pipe(my $read, my $write) or die "pipe: $!";
		my $pid = fork() // die "fork: $!";
		if (!$pid)
		{
			my ($good, %other) = (0);
			while (time < $until) { my $answer = $narrow->get('/rpc/brief?n=3'); $answer->{content} eq '3' ? ++$good : ++$other{"$answer->{status} $answer->{content}"} }
			print {$write} join(' ', $good, %other);
			close $write;
			POSIX::_exit(0);
		}
		close $write;
		[ $pid, $read ]
	} 1 .. 4;
	my ($good, $other) = (0, '');
	for my $client (@staying)
	{
		my ($n, $rest) = split / /, readline($client->[1]), 2;
		$good += $n;
		$other .= $rest // '';
		waitpid $client->[0], 0;
	}
	waitpid $leaving, 0;
	cmp_ok($good, '>', 100, "those that stay are served ($good)");
	is($other, '', 'and none of them is cancelled for others that leave');
	$narrow->stop;
}

# half closed
my $socket = $bridge->connect;
print {$socket} "GET /rpc/double?n=5 HTTP/1.1\r\nHost: x\r\n\r\nGET /rpc/double?n=6 HTTP/1.1\r\nHost: x\r\n\r\n";
$socket->shutdown(1);
my $text = read_all($socket);
is(() = $text =~ m{HTTP/1\.1 200 }g, 2, 'a client that has closed its sending side gets its answers');
like($text, qr/10HTTP.*12$/s, 'in order');
$socket = $bridge->connect;
print {$socket} "POST /rpc/double HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
$socket->shutdown(1);
like(read_all($socket), qr{^HTTP/1\.1 400 .*incomplete}s, 'half a request is told to be one');
is($node->safe_psql('postgres', $asleep), '0', 'nothing runs');
$bridge->stop;

# no descriptors
$bridge = NexusBridge->start($node, 'postgres', 'gate', %settings);
ok($bridge->wait_ready, 'ready again');
is((grep { $bridge->get('/rpc/double?n=1')->{status} == 200 } 1 .. 20), 20, 'each loop with a connection to the database');
my $open = () = glob("/proc/$bridge->{pid}/fd/*");
is(system('prlimit', "--pid=$bridge->{pid}", '--nofile=' . ($open + 8) . ':'), 0, 'few descriptors are left');
my @crowd = map { $bridge->connect } 1 .. 40;
print {$_} "GET /rpc/double?n=7 HTTP/1.1\r\nHost: x\r\n\r\n" for @crowd;
my @served = grep { IO::Select->new($_)->can_read(0.2) } @crowd[0 .. 5];
cmp_ok(scalar @served, '>', 0, 'those that got one are served');
for (1 .. 100) { last if $bridge->log_text =~ /cannot accept a connection/; sleep 0.02 }
like($bridge->log_text, qr/cannot accept a connection: Too many open files/, 'the others wait');
my $cpu = sub { open(my $stat, '<', "/proc/$bridge->{pid}/stat") or die; my @f = split / /, <$stat>; return $f[13] + $f[14] };
my $before = $cpu->();
sleep 1;
cmp_ok($cpu->() - $before, '<', 50, 'it does not spin meanwhile');
is(system('prlimit', "--pid=$bridge->{pid}", '--nofile=4096:'), 0, 'there are more again');
is((grep { read_all($_, qr/14$/, 5) =~ /14$/ } @crowd), 40, 'all 40 are answered');
close $_ for @crowd;
is($bridge->get('/rpc/double?n=1')->{content}, '2', 'and others');

# ended with 64 in work
my @waiting = map { my $n = $_; my $s = $bridge->connect; print {$s} post(0.3, $n); $s } 1 .. 64;
my $metrics = "http://127.0.0.1:$settings{admin_server_port}/metrics";
for (1 .. 200)
{
	my ($n) = HTTP::Tiny->new->get($metrics)->{content} =~ /^nexus_bridge_http_connections (\d+)/m;
	last if $n == 64 && $node->safe_psql('postgres', $asleep) > 0;
	sleep 0.02;
}
cmp_ok($node->safe_psql('postgres', $asleep), '>', 0, '64 requests are in work or wait');
$bridge->signal('TERM');
for (1 .. 100) { last if $bridge->log_text =~ /"stopping"/; sleep 0.01 }
my ($answered, $told) = (0, 0);
for my $n (1 .. 64)
{
	my $answer = read_all($waiting[ $n - 1 ]);
	++$answered if $answer =~ m{^HTTP/1\.1 200 .*\r\n\r\n$n$}s;
	++$told if $answer =~ /^Connection: close\r$/m;
}
is($answered, 64, 'SIGTERM: all 64 are answered, each with its own');
cmp_ok($told, '>', 32, "and those that had not been before are told that the connection ends ($told)");
is($bridge->stop, 0, 'then it ends');
is($node->safe_psql('postgres', 'SELECT count(*) FROM log'), '64', 'what they did is there');
ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $bridge->{port}, Timeout => 1), 'nobody listens any more');
$node->stop;
done_testing();
