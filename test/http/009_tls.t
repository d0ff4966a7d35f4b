# TLS on the public port.
use strict;
use warnings;
use Test::More;
use NexusBridge;
use NexusTest qw(start_node);

my $node = start_node('tls');
$node->safe_psql('postgres', q{CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n});
my $dir = $node->basedir;
my ($certificate, $key) = ("$dir/server.crt", "$dir/server.key");
system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout $key -out $certificate 2>/dev/null") == 0
  or die 'openssl failed';

my $bridge = NexusBridge->start($node, 'postgres', 'postgres', db_schemas => 'public', db_anon_role => 'postgres',
	server_tls_certificate => $certificate, server_tls_key => $key);
my $url = "https://localhost:$bridge->{port}";
my $curl = "curl -s --cacert $certificate --resolve localhost:$bridge->{port}:127.0.0.1";
my $ready = 0;
for (1 .. 300)
{
	last if $ready = `$curl -o /dev/null -w '%{http_code}' $url/ready` eq '200';
	select(undef, undef, undef, 0.05);
}
ok($ready, 'ready over TLS');
is(`$curl '$url/rpc/double?n=21'`, '42', 'a call');
is(`$curl '$url/rpc/double?n=1' '$url/rpc/double?n=2'`, '24', 'two calls on a connection');
is(`$curl --http1.1 $url/rpc/double -H 'Content-Type: application/json' -d '{"n": 4}'`, '8', 'a body');
isnt(system("curl -s --tls-max 1.1 --cacert $certificate $url/ready >/dev/null"), 0, 'TLS 1.1 is refused');
isnt($bridge->get('/ready')->{status}, 200, 'plain HTTP is not answered');
is(`$curl '$url/rpc/double?n=5'`, '10', 'and does no harm');
$bridge->stop;

my $broken = NexusBridge->start($node, 'postgres', 'postgres', db_schemas => 'public', db_anon_role => 'postgres',
	server_tls_certificate => "$dir/none.crt", server_tls_key => $key);
is(waitpid($broken->{pid}, 0), $broken->{pid}, 'without its certificate it does not start');
is($? >> 8, 1, 'with status 1');
like($broken->log_text, qr/server-tls-certificate .* cannot be used/, 'and says why');
done_testing();
