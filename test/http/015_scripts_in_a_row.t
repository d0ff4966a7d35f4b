# Scripts that stand behind each other on one connection: each gets its own answer, errors stay apart, and the server hears
# nothing beyond them.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use Test::More;
use NexusBridge;
use NexusTest qw(start_node);

my $node = start_node('scripts_in_a_row');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql STABLE RETURN 2 * n;
	CREATE FUNCTION inverse(n int) RETURNS int LANGUAGE sql STABLE RETURN 1000 / n;
	CREATE FUNCTION mode() RETURNS text LANGUAGE sql STABLE
		RETURN current_setting('transaction_read_only') || ' ' || current_setting('transaction_isolation') || ' ' || current_user;
	CREATE FUNCTION refuse() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'PT418'; END$$;
	CREATE TABLE kept (n int);
	CREATE FUNCTION says_it_reads() RETURNS void LANGUAGE plpgsql STABLE AS $$BEGIN
		PERFORM set_config('transaction_read_only', 'off', true);
		EXECUTE 'INSERT INTO kept VALUES (1)';
	END$$;
	GRANT INSERT ON kept TO visitor;
	ALTER ROLE gate SET default_transaction_isolation = 'serializable';
});
my $bridge = NexusBridge->start($node, 'postgres', 'gate', db_schemas => 'public', db_anon_role => 'visitor', server_threads => 1, db_pool => 1);
ok($bridge->wait_ready, 'ready');

# As many clients as there are paths ask at once, by GET where no method stands before them; their answers as "status body".
sub at_once
{
	my @sockets = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $bridge->{port}) // die "connect: $!" } @_;
	for my $i (0 .. $#_)
	{
		my $line = $_[$i] =~ /^[A-Z]/ ? $_[$i] : "GET $_[$i]";
		syswrite($sockets[$i], "$line HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	}
	return map {
		my ($socket, $text) = ($_, '');
		while (IO::Select->new($socket)->can_read(20) && sysread($socket, $text, 65536, length $text)) { }
		my ($head, $body) = split /\r\n\r\n/, $text, 2;
		($head =~ m{^HTTP/1\.1 (\d+)})[0] . ' ' . ($body // '');
	} @sockets;
}

my $offset = -s $node->logfile;
$bridge->get("/rpc/double?n=$_") for 1 .. 5;       # known to be fast
for my $round (1 .. 10)
{
	is_deeply([ at_once(map { "/rpc/double?n=$_" } 1 .. 30) ], [ map { '200 ' . 2 * $_ } 1 .. 30 ], "round $round: all answers");
}
my $said = substr(PostgreSQL::Test::Utils::slurp_file($node->logfile), $offset);
unlike($said, qr/no transaction in progress/, 'no transaction is rolled back that has ended');

$bridge->get("/rpc/inverse?n=$_") for 1 .. 5;
for my $round (1 .. 5)
{
	my @answers = at_once(map { '/rpc/inverse?n=' . $_ % 5 } 1 .. 30);
	my @wrong = grep { $_ % 5 ? $answers[$_ - 1] ne '200 ' . int(1000 / ($_ % 5)) : $answers[$_ - 1] !~ /^400 .*"22012"/ } 1 .. 30;
	is_deeply([ map { "$_: $answers[$_ - 1]" } @wrong ], [], "round $round: every fifth fails, the others do not");
}

# A transaction that a failed call leaves open is not the place of those behind it, which send no BEGIN of their own.
for my $round (1 .. 5)
{
	my @answers = at_once(map { $_ % 3 ? "/rpc/double?n=$_" : 'POST /rpc/refuse' } 1 .. 30);
	my @wrong = grep { $answers[$_ - 1] !~ ($_ % 3 ? '^200 ' . 2 * $_ . '$' : '^418 ') } 1 .. 30;
	is_deeply([ map { "$_: $answers[$_ - 1]" } @wrong ], [], "round $round: calls that write fail, those that read do not");
}
is($bridge->get('/rpc/mode')->{content}, '"on read committed visitor"', 'what reads is read only and sees what is committed');
like($bridge->get('/rpc/says_it_reads')->{content}, qr/"25001"/, 'and cannot get out of it');
is($node->safe_psql('postgres', 'SELECT count(*) FROM kept'), 0, 'nor write');
is($bridge->get('/rpc/double?n=21')->{content}, '42', 'and the connection serves on');
$bridge->stop;
$node->stop;
done_testing;
