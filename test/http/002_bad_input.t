# What is no good request: each kind gets a clear answer, and the bridge goes on.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(time sleep);
use NexusTest qw(start_node);
use NexusBridge;

my $node = start_node('bad_input');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO visitor;
	CREATE FUNCTION api.add(a int, b int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
	CREATE FUNCTION api.echo(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT t';
	CREATE FUNCTION api.many(n int) RETURNS SETOF text LANGUAGE sql IMMUTABLE AS $$ SELECT repeat('x', 1000) FROM generate_series(1, n) $$;
});
my $bridge = NexusBridge->start($node, 'postgres', 'gate', db_schemas => 'api', db_anon_role => 'visitor', max_response => 5_000_000);
ok($bridge->wait_ready, 'ready');

# [what, answer, status, code, text in the message, details or hint]
my $deep = '[' x 100_000 . ']' x 100_000;
my @cases = (
	[ 'unknown function', $bridge->rpc('ad'), 404, 'PGRST202', 'Perhaps you meant to call the function api.add' ],
	[ 'missing argument', $bridge->rpc('add', { a => 1 }), 404, 'PGRST202', 'api.add(a)' ],
	[ 'unknown argument', $bridge->get('/rpc/add?a=1&b=2&c=3'), 404, 'PGRST202', 'Perhaps you meant to call the function api.add(a, b)' ],
	[ 'wrong type', $bridge->rpc('add', { a => 'one', b => 2 }), 400, '22P02', 'invalid input syntax for type integer: \\"one' ],
	[ 'wrong type in a query', $bridge->get('/rpc/add?a=one&b=2'), 400, '22P02', 'invalid input syntax for type integer: \\"one' ],
	[ 'out of range', $bridge->rpc('add', { a => 2147483647, b => 1 }), 400, '22003', 'integer out of range' ],
	[ 'broken JSON', $bridge->rpc('add', '{"a": 1'), 400, 'PGRST102', 'Empty or invalid json' ],
	[ 'deep JSON', $bridge->rpc('add', $deep), 400, 'PGRST102', '64 levels' ],
	[ 'deep JSON in an argument', $bridge->rpc('echo', qq({"t": $deep})), 400, 'PGRST102', '64 levels' ],
	[ 'invalid UTF-8', $bridge->rpc('echo', "{\"t\": \"\xff\xfe\"}"), 400, 'PGRST102', 'not valid UTF-8' ],
	[ 'invalid UTF-8 in a query', $bridge->get('/rpc/echo?t=%FF'), 400, 'PGRST100', 'UTF-8' ],
	[ 'NUL', $bridge->rpc('echo', '{"t": "\u0000"}'), 400, '22P05', 'unsupported Unicode escape sequence' ],
	[ '10 MB', $bridge->rpc('echo', '{"t": "' . 'x' x 10_000_000 . '"}'), 413, 'HTTP413', 'too large' ],
	[ 'an answer beyond the limit', $bridge->get('/rpc/many?n=10000'), 500, 'HTTP500', 'limit' ],
	[ 'an answer far beyond it', $bridge->get('/rpc/many?n=300000'), 500, 'HTTP500', 'limit' ],
	[ 'another path', $bridge->get('/posts'), 404, 'PGRST125', 'Invalid path' ],
	[ 'another method', $bridge->request('DELETE', '/rpc/add'), 405, 'PGRST101', 'DELETE' ],
	[ 'unknown content type', $bridge->request('POST', '/rpc/add', '<a/>', 'Content-Type' => 'application/xml'), 400, 'PGRST102', 'application/xml' ],
	[ 'a hundred thousand arguments', $bridge->request('POST', '/rpc/add', join('&', map { "k$_=" } 1 .. 100_000), 'Content-Type' => 'application/x-www-form-urlencoded'), 400, 'PGRST102', 'more than 1000 arguments' ],
	[ 'unknown column', $bridge->get('/rpc/many?n=1&order=x'), 400, '42703', 'does not exist' ],
);
for (@cases)
{
	my ($what, $answer, $status, $code, $text) = @$_;
	is($answer->{status}, $status, "$what: $status") or diag(substr($answer->{content}, 0, 500));
	is($answer->{json}{code}, $code, "$what: $code");
	like(substr($answer->{content}, 0, 2000), qr/\Q$text\E/, "$what: told");
	is_deeply([ sort keys %{ $answer->{json} // {} } ], [qw(code details hint message)], "$what: the error object");
}

# raw bytes
my $host = "Host: x\r\nConnection: close\r\n";
my $body = '{"a":1,"b":2}';
my $length = 'Content-Length: ' . length($body) . "\r\n";
my @raw = (
	[ 'no Host', "GET /live HTTP/1.1\r\n\r\n", 400 ],
	[ 'two Hosts', "GET /live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400 ],
	[ 'HTTP/1.0 needs none', "GET /live HTTP/1.0\r\n\r\n", 200 ],
	[ 'HTTP/3.0', "GET /live HTTP/3.0\r\n$host\r\n", 505 ],
	[ 'no HTTP', "hello\r\n\r\n", 400 ],
	[ 'bare line feeds', "GET /live HTTP/1.1\nHost: x\n\n", 400 ],
	[ 'a folded field', "GET /live HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n", 400 ],
	[ 'a space before the colon', "GET /live HTTP/1.1\r\n${host}X : a\r\n\r\n", 400 ],
	[ 'two lengths', "POST /rpc/add HTTP/1.1\r\n$host$length$length\r\n$body", 400 ],
	[ 'length and chunked', "POST /rpc/add HTTP/1.1\r\n$host${length}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 ],
	[ 'a length that is no number', "POST /rpc/add HTTP/1.1\r\n${host}Content-Length: 3x\r\n\r\nabc", 400 ],
	[ 'another coding', "POST /rpc/add HTTP/1.1\r\n${host}Transfer-Encoding: gzip\r\n\r\n", 501 ],
	[ 'a long target', 'GET /' . 'a' x 9000 . " HTTP/1.1\r\n$host\r\n", 414 ],
	[ 'a long field', "GET /live HTTP/1.1\r\n${host}X: " . 'a' x 20000 . "\r\n\r\n", 431 ],
	[ 'a field without end', "GET /live HTTP/1.1\r\n${host}X: " . 'a' x 2_000_000, 431 ],
	[ 'many fields', "GET /live HTTP/1.1\r\n$host" . "X: y\r\n" x 200 . "\r\n", 431 ],
	[ 'a body cut short', "POST /rpc/add HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\n{}", 400 ],
	[ 'a head cut short', "GET /live HTTP/1.1\r\nHost", 400 ],
	[ 'chunks', "POST /rpc/add HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n8\r\n1,\"b\":2}\r\n0\r\n\r\n", 200 ],
	[ 'chunks beyond the limit', "POST /rpc/add HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n7FFFFFFF\r\n", 413 ],
	[ 'a chunk that is none', "POST /rpc/add HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400 ],
	[ 'a method nobody knows', "BREW /rpc/add HTTP/1.1\r\n$host\r\n", 405 ],
	[ 'POST without length', "POST /rpc/many?limit=1 HTTP/1.1\r\n$host\r\n", 404 ],
	[ 'an absolute target', "GET http://x/live HTTP/1.1\r\n$host\r\n", 400 ],
);
for (@raw)
{
	my ($what, $bytes, $status) = @$_;
	is($bridge->raw_status($bytes), $status, "$what: $status");
}
my $smuggled = $bridge->raw("GET /live HTTP/1.1\r\nHost: x\r\nX: a\r\nContent-Length: 5\r\n\r\nGET /GET /live HTTP/1.1\r\n$host\r\n");
is(() = $smuggled =~ m{HTTP/1\.1 200}g, 2, 'a body is no request');
my $piped = $bridge->raw("GET /rpc/add?a=1&b=2 HTTP/1.1\r\nHost: x\r\n\r\nGET /rpc/add?a=3&b=4 HTTP/1.1\r\n$host\r\n");
like($piped, qr/\r\n\r\n3HTTP.*\r\n\r\n7$/s, 'pipelined requests are answered in order');
my $continue = $bridge->raw("POST /rpc/add HTTP/1.1\r\n$host${length}Expect: 100-continue\r\n\r\n");
like($continue, qr{^HTTP/1\.1 100 Continue\r\n\r\n}, 'Expect: 100-continue');
like($bridge->raw("GET /live HTTP/1.1\r\n${host}Range: 0-3\r\nREMOTE_ADDR: y\r\n\r\n"), qr/\{"status":"live"\}$/, 'Range does not cut the bytes');

# idle and slow clients do not hold the four workers
my @idle = map { $bridge->connect } 1 .. 12;
print {$_} "GET /live HTTP/1.1\r\nHost: x\r\n\r\n" for @idle;
sleep 0.3;
my $start = time;
is($bridge->get('/rpc/add?a=1&b=2')->{status}, 200, 'an answer beside idle connections');
cmp_ok(time - $start, '<', 1, 'within a second');
close($_) for @idle;
my @silent = map { $bridge->connect } 1 .. 12;
sleep 0.3;
$start = time;
is($bridge->get('/rpc/add?a=1&b=2')->{status}, 200, 'an answer beside connections that say nothing');
cmp_ok(time - $start, '<', 4, 'within seconds');
close($_) for @silent;

is($bridge->get('/rpc/add?a=1&b=2')->{content}, '3', 'still at work');
is($bridge->stop, 0, 'and ends in order');
unlike($bridge->log_text, qr/ error /, 'no error of its own in the log');
$node->stop;
done_testing();
