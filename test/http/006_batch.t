# Several calls in one transaction, and requests that may be sent again.
use strict;
use warnings;
use POSIX ();
use Test::More;
use NexusTest qw(start_node deploy);
use NexusBridge qw(jwt);

my $node = start_node('batch');
deploy($node, 'app');
$node->safe_psql('app', q{
	CREATE TABLE public.entry (id bigserial PRIMARY KEY, word text UNIQUE, amount numeric);
	GRANT SELECT, INSERT ON public.entry TO nexus_app;
	GRANT USAGE ON SEQUENCE public.entry_id_seq TO nexus_app;
	CREATE SCHEMA api;
	GRANT USAGE ON SCHEMA api TO nexus_app, nexus_anon;
	CREATE FUNCTION api.add_word(word text, amount numeric DEFAULT 0) RETURNS bigint LANGUAGE sql AS 'INSERT INTO public.entry (word, amount) VALUES (word, amount) RETURNING id';
	CREATE FUNCTION api.words() RETURNS SETOF public.entry LANGUAGE sql STABLE AS 'SELECT * FROM public.entry ORDER BY id';
	CREATE FUNCTION api.nothing() RETURNS void LANGUAGE sql AS '';
	CREATE FUNCTION api.slow_word(word text) RETURNS bigint LANGUAGE sql AS 'INSERT INTO public.entry (word) SELECT word FROM (SELECT pg_sleep(1)) s RETURNING id';
	CREATE FUNCTION api.with_headers() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('response.headers', '[{"X-Mine": "1"}]', true); PERFORM set_config('response.status', '202', true); RETURN 5; END $$;
});
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', db_schemas => 'api', db_anon_role => 'nexus_anon');
ok($bridge->wait_ready, 'ready');
my %ann = (Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => 'ann'));
my %bob = (Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => 'bob'));

# batches
my $done = batch('[{"function": "add_word", "arguments": {"word": "a, ]}\"", "amount": 12345678901234567890.5}}, {"function": "words", "query": "select=word,amount"}, {"function": "nothing"}]');
is($done->{status}, 200, 'a batch') or diag($done->{content});
is(join(' ', map { $_->{status} } @{ $done->{json} }), '200 200 204', 'with an answer for each call');
is($done->{json}[1]{body}[0]{word}, 'a, ]}"', 'a later call sees what an earlier one did');
like($done->{content}, qr/12345678901234567890\.5/, 'numbers keep their digits');
is(words(), 1, 'and it stays');
my $failed = batch('[{"function": "add_word", "arguments": {"word": "b"}}, {"function": "add_word", "arguments": {"word": "b"}}]');
is("$failed->{status} $failed->{json}{code}", '409 23505', 'a call that fails');
is(words(), 1, 'undoes the others');
my $unknown = batch('[{"function": "add_word", "arguments": {"word": "c"}}, {"function": "no_such_function"}]');
is("$unknown->{status} $unknown->{json}{code}", '404 PGRST202', 'an unknown function');
like($unknown->{json}{details}, qr/^Call 2: /, 'is named by its place');
is(words(), 1, 'before anything runs');
is(batch($_)->{status}, 400, "no batch: " . substr($_, 0, 40)) for '', '{}', '[]', '[1]', '[{}, 1]', '[{"function": 1}]', '[{"function": "words", "arguments": []}]',
  '[{"function": "words", "other": 1}]', '[' . join(',', ('{"function":"words"}') x 101) . ']', '[' x 100000;
is($bridge->get('/batch')->{status}, 405, 'only POST');

# entity tags
my $whole = $bridge->get('/rpc/words', %ann);
like($whole->{headers}{etag}, qr/^"[\w-]+"$/, 'an answer has a tag');
is($whole->{headers}{'cache-control'}, 'private, no-cache', 'and is the caller\'s own');
my $known = $bridge->get('/rpc/words', %ann, 'If-None-Match' => $whole->{headers}{etag});
is("$known->{status} $known->{content}", '304 ', 'what is known is not sent again');
is($bridge->get('/rpc/words?id=gt.1', %ann, 'If-None-Match' => $whole->{headers}{etag})->{status}, 200, 'another answer is');

# idempotency keys
my $first = once(\%ann, 'k1', 'add_word', { word => 'once' });
is($first->{status}, 200, 'a first call') or diag($first->{content});
my $again = once(\%ann, 'k1', 'add_word', { word => 'once' });
is("$again->{status} $again->{content}", "200 $first->{content}", 'the same answer again');
is($again->{headers}{'idempotency-replayed'}, 'true', 'which says so');
is($first->{headers}{'idempotency-replayed'}, undef, 'as the first did not');
is(words(), 2, 'one row');
my $other = once(\%ann, 'k1', 'add_word', { word => 'twice' });
is("$other->{status} $other->{json}{code}", '422 NX030', 'another request with the key is refused');
is(once(\%bob, 'k1', 'add_word', { word => 'of bob' })->{status}, 200, 'keys are the user\'s own');
is(once(\%ann, 'k2', 'add_word', { word => 'once' })->{status}, 409, 'a call that fails');
my $retry = once(\%ann, 'k2', 'add_word', { word => 'k2 again' });
is($retry->{status}, 200, 'leaves its key free');
my $headers = once(\%ann, 'k3', 'with_headers', {});
$again = once(\%ann, 'k3', 'with_headers', {});
is("$again->{status} $again->{headers}{'x-mine'} $again->{content}", '202 1 5', 'status and headers come again');
once(\%ann, 'k4', 'nothing', {});
is(once(\%ann, 'k4', 'nothing', {})->{status}, 204, 'and nothing');
is(once({}, 'k1', 'nothing', {})->{status}, 400, 'without a user there are no keys');
is(once(\%ann, 'x' x 256, 'nothing', {})->{status}, 400, 'a long key');
is($bridge->rpc('words', {}, %ann, 'Idempotency-Key' => 'k9')->{status}, 200, 'who only reads needs no key');

my @children = map {
	my $pid = fork();
	if (!$pid) { my $r = once(\%ann, 'race', 'slow_word', { word => 'race' }); POSIX::_exit($r->{status} == 200 ? 0 : 1) }
	$pid
} 1 .. 4;
my @bad = grep { waitpid($_, 0); $? != 0 } @children;
is(scalar @bad, 0, 'four at once are all answered');
is($node->safe_psql('app', q{SELECT count(*) FROM entry WHERE word = 'race'}), '1', 'by one call');
is($node->safe_psql('app', q{UPDATE nexus.idempotency_keys SET claimed_at = now() - interval '2 days'; SELECT nexus.forget_idempotency_keys() > 0}), 't', 'old keys are forgotten');
is($bridge->rpc('keep_idempotent_result', {}, %ann)->{status}, 404, 'the keeping is not for clients');
is($bridge->stop, 0, 'SIGTERM ends it in order');
$node->stop;
done_testing();

sub batch { my ($body) = @_; return $bridge->request('POST', '/batch', $body, %ann) }
sub words { return $node->safe_psql('app', 'SELECT count(*) FROM entry') }

sub once
{
	my ($who, $key, $function, $arguments) = @_;
	return $bridge->rpc($function, $arguments, %$who, 'Idempotency-Key' => $key);
}
