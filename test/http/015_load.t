# A thousand clients at work at once, and as many that send slowly beside them: each is served, each with its own answer.
use strict;
use warnings;
use Test::More;
use NexusBridge;
use NexusTest qw(start_node root);

my $node = start_node('load');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n;
});
my $bridge = NexusBridge->start($node, 'postgres', 'gate', db_schemas => 'public', db_anon_role => 'visitor');
ok($bridge->wait_ready, 'ready');

sub crowd
{
	my (@counts) = @_;
	my ($out, $err) = PostgreSQL::Test::Utils::run_command([ '/usr/bin/python3', root() . '/test/http/clients/crowd.py', $bridge->{port}, @counts ]);
	diag($err) if $err;
	diag("@counts clients: $out");
	return split ' ', $out;
}
my %busy = crowd(1000, 5, 0);
is($busy{active}, 5000, '1000 of 1000 active connections are served, each with its own answers');
my %mixed = crowd(64, 20, 1000);
is($mixed{active}, 64 * 20, '64 active clients beside 1000 slow ones');
is($mixed{slow}, 1000, 'and the slow ones are served as well');
is($bridge->get('/rpc/double?n=4')->{content}, '8', 'as before');
is($bridge->stop, 0, 'SIGTERM');
$node->stop;
done_testing();
