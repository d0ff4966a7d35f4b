# Signing up, in and out over HTTP, and who a session's token is.
use strict;
use warnings;
use MIME::Base64 qw(encode_base64);
use Test::More;
use NexusTest qw(start_node deploy);
use NexusBridge qw(jwt);

my $node = start_node('sessions');
deploy($node, 'app');
my %settings = (db_schemas => 'nexus', db_anon_role => 'nexus_anon', session_keys => 'k1 ' . encode_base64('k' x 32, ''));
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', %settings);
ok($bridge->wait_ready, 'ready');

my %ann = (email => 'ann@example.org', password => 'correct horse battery');
my $up = $bridge->request('POST', '/auth/sign-up', { %ann, first_name => 'Ann' });
is($up->{status}, 201, 'an account') or diag($up->{content});
my $token = $up->{json}{access_token};
like($token, qr/^cn1\.k1\.[\w-]{43}$/, 'with a token');
is($up->{headers}{'cache-control'}, 'no-store', 'that is not cached');
my $sub = $up->{json}{user}{id};
is(who($token)->{content}, qq("$sub"), 'which is the user');
is($bridge->request('POST', '/auth/sign-up', {%ann})->{status}, 409, 'the address is taken');
unlike($node->safe_psql('app', 'SELECT sid, sess FROM sessions'), qr/\Q$token\E/, 'the database has no token');
like($node->safe_psql('app', 'SELECT password FROM users'), qr/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/, 'nor a password');

my $in = $bridge->request('POST', '/auth/sign-in', {%ann});
is($in->{status}, 200, 'signed in') or diag($in->{content});
isnt($in->{json}{access_token}, $token, 'with a token of its own');
my $wrong = $bridge->request('POST', '/auth/sign-in', { %ann, password => 'wrong horse battery' });
my $unknown = $bridge->request('POST', '/auth/sign-in', { %ann, email => 'bob@example.org' });
is("$wrong->{status} $wrong->{content}", "$unknown->{status} $unknown->{content}", 'a wrong password and an unknown user are answered alike');
is($wrong->{status}, 401, 'with 401');

my $fresh = $bridge->request('POST', '/auth/refresh', '{}', bearer($token));
is($fresh->{status}, 200, 'refreshed') or diag($fresh->{content});
my $old = who($token);
is("$old->{status} $old->{json}{code}", '401 PGRST303', 'the old token is nobody');
like($old->{headers}{'www-authenticate'}, qr/invalid_token/, 'and says so');
$token = $fresh->{json}{access_token};
is(who($token)->{content}, qq("$sub"), 'the new one is the user');
is(who(jwt(role => 'nexus_app', sub => 'other'))->{content}, '"other"', 'a JWT is taken beside it');
is(who('cn1.k1.' . 'A' x 43)->{status}, 401, 'an invented token is not');

is($bridge->request('POST', '/auth/sign-out', '{}', bearer($token))->{status}, 204, 'signed out');
is(who($token)->{status}, 401, 'for good');
is(who($in->{json}{access_token})->{status}, 200, 'the other session goes on');
is($bridge->request('POST', '/auth/sign-out', '{"all": true}', bearer($in->{json}{access_token}))->{status}, 204, 'signed out everywhere');
is(who($in->{json}{access_token})->{status}, 401, 'for good');
is($node->safe_psql('app', 'SELECT count(*) FROM sessions'), '0', 'no row is left');
unlike($bridge->log_text . PostgreSQL::Test::Utils::slurp_file($node->logfile), qr/horse battery|\Q$token\E/, 'no secret in the logs');

# A user sees what is theirs.
my $bob = $bridge->request('POST', '/auth/sign-up', { email => 'bob@example.org', password => 'another horse' })->{json}{access_token};
isnt(who($bob)->{content}, qq("$sub"), 'another user is another');
is($bridge->get('/')->{json}{openapi}, '3.1.0', 'the document');
unlike($bridge->get('/')->{content}, qr/session_claims|sign_in_user|claim_jobs/, 'shows nothing that the caller may not call');
like($bridge->get('/docs')->{content}, qr/<h1>/, 'the page');

my $plain = NexusBridge->start($node, 'app', 'nexus_bridge', %settings, session_keys => '');
ok($plain->wait_ready, 'without keys');
is($plain->request('POST', '/auth/sign-in', {%ann})->{status}, 404, 'there is no signing in');
$plain->stop;
is($bridge->stop, 0, 'SIGTERM ends it in order');
$node->stop;
done_testing();

sub bearer { my ($t) = @_; return (Authorization => "Bearer $t") }

sub who { my ($t) = @_; return $bridge->get('/rpc/current_user_id', bearer($t)) }
