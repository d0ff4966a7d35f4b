# TLS on the public port.
use strict;
use warnings;
use Test::More;
use NexusBridge;
use NexusTest qw(start_node);

my $node = start_node('tls');
$node->safe_psql('postgres', q{CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n;
	CREATE FUNCTION lines(n int) RETURNS SETOF text LANGUAGE sql STABLE AS 'SELECT g || '' '' || repeat(''x'', 40) FROM generate_series(1, n) g'});
my $dir = $node->basedir;
my ($certificate, $key) = ("$dir/server.crt", "$dir/server.key");
make_certificate();

sub make_certificate
{
	return system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout $key -out $certificate 2>/dev/null") == 0
	  || die 'openssl failed';
}

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
is(`$curl -H 'Accept: application/x-ndjson' '$url/rpc/lines?n=20000' | md5sum`, `seq -f '"%.0f xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"' 20000 | md5sum`, 'a stream of lines');

# A certificate that is renewed
make_certificate();
$bridge->signal('HUP');
for (1 .. 200) { last if $bridge->log_text =~ /settings read again/; select(undef, undef, undef, 0.02) }
is(`$curl '$url/rpc/double?n=6'`, '12', 'SIGHUP: the new certificate is served');
rename $key, "$key.away";
$bridge->signal('HUP');
for (1 .. 200) { last if $bridge->log_text =~ /could not be read again/; select(undef, undef, undef, 0.02) }
like($bridge->log_text, qr/could not be read again, the old ones stay: .*server-tls-key/, 'a key that is missing');
is(`$curl '$url/rpc/double?n=7'`, '14', 'leaves it as it is');
$bridge->stop;

my $broken = NexusBridge->start($node, 'postgres', 'postgres', db_schemas => 'public', db_anon_role => 'postgres',
	server_tls_certificate => "$dir/none.crt", server_tls_key => $key);
is(waitpid($broken->{pid}, 0), $broken->{pid}, 'without its certificate it does not start');
is($? >> 8, 1, 'with status 1');
like($broken->log_text, qr/server-tls-certificate .* cannot be used/, 'and says why');
done_testing();
