# Accounts from connecting to disconnecting, against npm's oauth2-mock-server: PKCE, states, renewing by one at a time, the
# publisher killed while it renews, new keys; and then no secret in clear anywhere. Skipped where npm is not reachable.
use strict;
use warnings;
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils qw(slurp_file);
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusBridge qw(jwt);
use NexusPublisher qw(http_json wait_for seed_posts key_file);
use NexusAccounts qw(provider control provider_log secrets authorize add_provider files_with);

my $prefix = 'clearly' . int(rand(1e9));
my $port = provider($prefix) or plan skip_all => 'npm is not reachable: no provider';
my $node = start_node('accounts');
deploy($node, 'app');
$node->safe_psql('app', "ALTER SYSTEM SET log_statement = 'all'; ALTER SYSTEM SET log_min_duration_statement = 0; SELECT pg_reload_conf()");
my $url = "http://127.0.0.1:$port";
add_provider($node, $port, 'mock', 'mock');
add_provider($node, $port, 'masto', 'mastodon', instance_url => $url);
my $keys = key_file($node->basedir . '/keys');
seed_posts($node, $keys);
$node->safe_psql('app', "INSERT INTO users (id, email, password, first_name, last_name) SELECT 'bob', 'b\@example.org', password, 'B', 'B' FROM users");

my $client_secret = "$prefix-client-secret";
my $admin = PostgreSQL::Test::Cluster::get_free_port();
my %bridge = (db_schemas => 'nexus', db_anon_role => 'nexus_anon', account_keys => "\@$keys", oauth_redirect_uri => 'http://127.0.0.1/oauth/callback',
	accounts_allow_network => '127.0.0.0/8', rate_limit_sign_in => 0, log_level => 'debug', admin_server_port => $admin, accounts_timeout => 5,
	oauth_secret_mock => $client_secret, oauth_secret_masto => $client_secret);
my $bridge = NexusBridge->start($node, 'app', 'nexus_bridge', %bridge);
ok($bridge->wait_ready, 'ready');
my %ann = (Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => 'ann'));
my %bob = (Authorization => 'Bearer ' . jwt(role => 'nexus_app', sub => 'bob'));
my (@own_secrets, @answers);

# Every answer is looked through at the end.
sub ask { my @what = @_; my $answer = $bridge->request(@what); push @answers, "$answer->{status} $answer->{content}" unless $what[1] eq '/accounts/connect'; return $answer }

# Begins to connect: (where the browser comes back to, its cookie).
sub begin
{
	my ($platform, $who, %more) = @_;
	my $answer = ask('POST', '/accounts/connect', { platform => $platform, %more }, %$who);
	return ($answer) unless $answer->{status} == 200;
	my ($cookie) = $answer->{headers}{'set-cookie'} =~ /^([^;]+)/;
	push @own_secrets, $answer->{json}{authorization_url} =~ /state=([\w-]+)/, $cookie =~ /=(.*)/;
	return (authorize($answer->{json}{authorization_url}), $cookie, $answer);
}
sub sql { return $node->safe_psql('app', $_[0]) }
sub account { return sql("SELECT $_[1] FROM social_accounts WHERE id = $_[0]") }
sub renewals { return scalar grep { ($_->{grant} // '') eq 'refresh_token' } provider_log($port) }

# --- connecting
my ($back, $cookie, $begun) = begin('mock', \%ann);
like($begun->{json}{authorization_url}, qr{^\Q$url\E/authorize\?response_type=code&client_id=our%20app&.*code_challenge_method=S256&code_challenge=[\w-]{43}&scope=read%20write$}, 'where to go');
like($begun->{headers}{'set-cookie'}, qr/HttpOnly; SameSite=Lax/, 'with a cookie of this browser');
my $connected = ask('GET', $back, undef, Cookie => $cookie);
is("$connected->{status} @{[ $connected->{json}{status} // $connected->{content} ]}", '200 active', 'connected');
my $id = $connected->{json}{id};
is(join(' ', @{ $connected->{json} }{qw(account_id handle account_name)}), 'remote-1 ann Ann Example', 'as whom the provider says');
is(account($id, "user_id || ' ' || (access_token ~ '^cn1[.]k1[.]') || ' ' || (refresh_token ~ '^cn1[.]k1[.]') || ' ' || token_version || ' ' || scopes::text"), 'ann true true 1 {read,write}', 'sealed');
my ($first) = provider_log($port);
ok($first->{proved}, 'the client proved itself with its secret');
my $again = ask('GET', $back, undef, Cookie => $cookie);
is("$again->{status} $again->{json}{code}", '400 NX040', 'a state is of use once');

($back, $cookie) = begin('mock', \%ann);
is(ask('GET', $back, undef)->{status}, 403, 'another browser is refused');
is(ask('GET', $back, undef, Cookie => $cookie)->{status}, 400, 'and the state is gone');
($back, $cookie) = begin('mock', \%ann);
my $other = ask('GET', $back, undef, %bob, Cookie => $cookie);
is("$other->{status} $other->{json}{code}", '403 NX040', "another user's state is refused");
($back) = begin('mock', \%ann);
sql("UPDATE nexus.pending_connections SET expires_at = now() - interval '1 s'");
is(ask('GET', $back, undef, %ann)->{status}, 400, 'an expired one too');
is(ask('GET', '/oauth/callback?state=' . 'A' x 43 . '&code=x', undef)->{status}, 400, 'and one that nobody made');
control($port, error => 'access_denied');
($back, $cookie) = begin('mock', \%ann);
my $denied = ask('GET', $back, undef, Cookie => $cookie);
is("$denied->{status} $denied->{json}{code}", '400 NX041', 'the provider, or the user there, says no');
like($denied->{json}{message}, qr/access_denied/, 'and what');
control($port, error => 'invalid_grant');
($back, $cookie) = begin('mock', \%ann);
is(ask('GET', $back, undef, Cookie => $cookie)->{json}{code}, 'NX041', 'a code that is refused');
control($port, status => 500);
($back, $cookie) = begin('mock', \%ann);
is(ask('GET', $back, undef, Cookie => $cookie)->{status}, 503, 'a provider in trouble');
control($port, empty_refresh => 1);
my $kept = account($id, 'refresh_token');
($back) = begin('mock', \%ann);
my $reconnected = ask('GET', $back, undef, %ann);
is("$reconnected->{status} $reconnected->{json}{id}", "200 $id", 'connected again, by the signed-in user without the cookie');
is(account($id, 'refresh_token'), $kept, 'an empty refresh token leaves the stored one');
control($port);
is((begin('nowhere', \%ann))[0]->{status}, 400, 'a platform without provider');
is((begin('mock', {}))[0]->{status}, 401, 'nobody is signed in');
is(ask('DELETE', '/accounts/connect', undef, %ann)->{status}, 405, 'a wrong method');
is(ask('POST', '/accounts/x', {}, %ann)->{status}, 404, 'a wrong path');

# --- app passwords
my $wrong = ask('POST', '/accounts/app-password', { platform => 'bluesky', identifier => 'ann.test', password => "$prefix-wrong-password", instance_url => $url }, %ann);
is("$wrong->{status} $wrong->{json}{code}", '400 NX041', 'a wrong app password') or diag($wrong->{content});
my $sky = ask('POST', '/accounts/app-password', { platform => 'bluesky', identifier => 'ann.test', password => "$prefix-app-password", instance_url => $url }, %ann);
is("$sky->{status} @{[ $sky->{json}{account_id} // $sky->{content} ]}", '200 did:plc:ann', 'a right one');
is(ask('POST', '/accounts/app-password', { platform => 'bluesky', identifier => 'a', password => 'b', instance_url => 'http://10.0.0.1' }, %ann)->{status}, 502, 'private networks are out of reach');
is(ask('POST', '/accounts/app-password', { platform => 'x', identifier => 'a', password => 'b' }, %ann)->{json}{code}, '0A000', 'only where there are app passwords');

# --- publishing with a token that has run out: two processes, one renewal
($back) = begin('mastodon', \%ann, instance_url => $url);
my $masto = ask('GET', $back, undef, %ann)->{json}{id};
ok($masto, 'a Mastodon account');
%NexusPublisher::environment = (NEXUS_OAUTH_SECRET_MASTO => $client_secret, NEXUS_OAUTH_SECRET_MOCK => $client_secret);
my %settings = (lease => 3, timeout => 10, log_level => 'debug');
my @workers = map { NexusPublisher->start($node, $keys, %settings) } 1 .. 2;
control($port, expire => 1, hold => 300);
my $before = renewals();
sql("BEGIN;
	INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT i, 'ann', 't', 'post ' || i, 'post' FROM generate_series(1, 6) i;
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) SELECT i, i, $masto, 'mastodon', 'scheduled', nexus.utcnow() FROM generate_series(1, 6) i;
	UPDATE social_accounts SET token_expiry = nexus.utcnow() WHERE id = $masto; SELECT nexus.watch_tokens(); COMMIT");
is(wait_for($node, "SELECT count(*) FROM platform_posts WHERE status = 'published'", '6', 40), '6', 'published although the token had run out') or diag($workers[0]->log_text);
is(wait_for($node, "SELECT state FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = $masto", 'done', 10), 'done', 'the job to renew it has ended');
is(renewals() - $before, 1, 'two processes with seven jobs asked for it once');
is(scalar(grep { $_->{posted} } provider_log($port)), 6, 'each post is there once');

# --- killed while it renews
$_->stop for @workers;
control($port, hold => 60000);
my $begun_before = grep { $_->{began} } provider_log($port);
my $worker = NexusPublisher->start($node, $keys, %settings);
sql("UPDATE social_accounts SET token_expiry = nexus.utcnow() WHERE id = $masto; SELECT nexus.watch_tokens()");
for (1 .. 200) { last if $begun_before < grep { $_->{began} } provider_log($port); sleep 0.05 }
$worker->kill_hard;
control($port);
my $version = account($masto, 'token_version');
$worker->again;
my $job = sql("SELECT max(id) FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = $masto");
is(wait_for($node, "SELECT concat_ws(' ', state, attempts, lapses) FROM nexus.jobs WHERE id = $job", 'done 1 1', 20), 'done 1 1', 'killed in the middle, the next one does it');
is(account($masto, 'token_version'), $version + 1, 'once');

# At any moment: the job ends once. Where the provider had changed the refresh token and the answer was lost, the account must
# be connected again; otherwise its tokens were renewed once.
my $kills = $ENV{NEXUS_ACCOUNT_KILLS} // 3;
my %ends = (done => 0, dead => 0);
for my $round (1 .. $kills)
{
	if (account($masto, 'status') ne 'active')
	{
		($back) = begin('mastodon', \%ann, instance_url => $url);
		ask('GET', $back, undef, %ann);
	}
	control($port, hold => 1 + int(rand(60)));
	my $was = account($masto, 'token_version');
	sql("UPDATE social_accounts SET token_expiry = nexus.utcnow() WHERE id = $masto; SELECT nexus.watch_tokens()");
	sleep rand(0.15);
	$worker->kill_hard;
	$worker->again;
	my $open = "FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = $masto";
	last if wait_for($node, "SELECT count(*) $open AND state IN ('ready', 'leased')", '0', 20) ne '0';
	my ($state, $account, $now) = split / /, sql("SELECT (SELECT state $open ORDER BY id DESC LIMIT 1), status, token_version FROM social_accounts WHERE id = $masto") =~ tr/|/ /r;
	$ends{$state}++ if $state eq 'done' ? $account eq 'active' && $now == $was + 1 : $account eq 'expired' && $now == $was;
}
note("renewed $ends{done}, to be connected again $ends{dead}");
is($ends{done} + $ends{dead}, $kills, "$kills kills at any moment: each job ended once");
if (account($masto, 'status') ne 'active')
{
	($back) = begin('mastodon', \%ann, instance_url => $url);
	ask('GET', $back, undef, %ann);
}
sql("DELETE FROM notifications");

# --- trouble, and the end of a grant
control($port, status => 503);
sql("UPDATE social_accounts SET token_expiry = nexus.utcnow() WHERE id = $masto; SELECT nexus.watch_tokens()");
is(wait_for($node, "SELECT state || ' ' || (last_error ->> 'class') FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = $masto ORDER BY id DESC LIMIT 1", 'ready transient', 20), 'ready transient', 'a provider in trouble is asked again');
is(account($masto, 'status'), 'active', 'the account stays');
control($port, revoke => 1);
sql("INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (7, 'ann', 't', 'post 7', 'post');
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) VALUES (7, 7, $masto, 'mastodon', 'scheduled', nexus.utcnow() + interval '1 h');
	UPDATE nexus.jobs SET run_at = now() WHERE kind = 'token_refresh' AND state = 'ready'; NOTIFY nexus_jobs");
is(wait_for($node, "SELECT status FROM social_accounts WHERE id = $masto", 'expired', 20), 'expired', 'a grant that is no longer good ends the account');
is(sql("SELECT state FROM nexus.jobs WHERE kind = 'token_refresh' AND ref_id = $masto ORDER BY id DESC LIMIT 1"), 'dead', 'and its job');
is(sql("SELECT count(*) FROM notifications WHERE type = 'account_expired' AND entity_id = $masto"), '1', 'its owner is told');
is(sql("SELECT parked FROM nexus.jobs WHERE kind = 'publish' AND ref_id = 7"), 'account expired', 'its posts wait');
($back) = begin('mastodon', \%ann, instance_url => $url);
is(ask('GET', $back, undef, %ann)->{json}{status}, 'active', 'connected again');
is(sql("SELECT parked IS NULL FROM nexus.jobs WHERE kind = 'publish' AND ref_id = 7"), 't', 'they wait no longer');
is($worker->stop, 0, 'the publisher ends well');

# --- new keys
my $fresh = $node->basedir . '/fresh-keys';
open(my $file, '>', $fresh) or die;
print {$file} 'k2 ' . encode_base64('n' x 32, '') . "\n" . slurp_file($keys);
close($file);
my @reseal = (NexusPublisher::program('nexus-publisher'), '--db-uri', $node->connstr('app'), '--key-file', $fresh, 'reseal', '--batch', 1);
my ($said, $errors) = PostgreSQL::Test::Utils::run_command(\@reseal);
like($said, qr/^3 accounts sealed with key k2, 0 could not be opened\n(k2 social_accounts\.\w+ 3\n?){2}$/, 'sealed with the new key');
open(my $old, '>', $keys) or die;
print {$old} 'k2 ' . encode_base64('n' x 32, '') . "\n";
close($old);
$bridge->signal('HUP');
$worker = NexusPublisher->start($node, $keys, %settings);
sql("UPDATE social_accounts SET token_expiry = nexus.utcnow() WHERE id = $masto; SELECT nexus.watch_tokens()");
is(wait_for($node, "SELECT token_expiry > nexus.utcnow() + interval '50 min' FROM social_accounts WHERE id = $masto", 't', 20), 't', 'the old key is not needed any more') or diag($worker->log_text);

# --- disconnecting
is(ask('DELETE', "/accounts/$id", undef, %bob)->{status}, 403, "not another user's");
my $gone = ask('DELETE', "/accounts/$masto", undef, %ann);
is("$gone->{status} " . ($gone->{json}{revoked_at_provider} ? 'revoked' : $gone->{content}), '200 revoked', 'disconnected, and revoked at the provider');
is(scalar(grep { $_->{revoked} } provider_log($port)), 2, 'both tokens');
is(account($masto, "concat_ws(' ', status, is_active, access_token, refresh_token)"), 'revoked f', 'nothing is left of them');
is(sql("SELECT parked FROM nexus.jobs WHERE kind = 'publish' AND ref_id = 7"), 'account inactive', 'its posts wait');
ok(ask('POST', "/accounts/$sky->{json}{id}/disconnect", {}, %ann)->{json}{revoked_at_provider}, 'a session is ended at its PDS');
ok((grep { $_->{ended} } provider_log($port)), 'which knows');
my $history = ask('GET', '/rpc/account_history?social_account_id=' . $masto, undef, %ann)->{json};
like(join(' ', map { $_->{event} } @$history), qr/^provider_revoked disconnected (reconnected )+connected$/, 'all of it is written down');
is_deeply(ask('GET', '/rpc/account_history', undef, %bob)->{json}, [], 'for its owner');

# --- no secret in clear
my @secrets = (secrets($port), @own_secrets, $client_secret, "$prefix-app-password", "$prefix-wrong-password");
cmp_ok(scalar(@secrets), '>', 40, scalar(@secrets) . ' secrets to look for');
my $place = $node->basedir . '/evidence';
mkdir $place;
my %text = (answers => join("\n", @answers));
for my $page (qw(metrics config)) { $text{$page} = HTTP::Tiny->new->get("http://127.0.0.1:$admin/$page")->{content} }
like($text{metrics}, qr/nexus_bridge_/, 'the metrics');
like($text{config}, qr/account-keys/, 'the configuration');
for my $name (keys %text) { open(my $out, '>', "$place/$name") or die; print {$out} $text{$name}; close($out) }
$node->command_ok([ 'pg_dump', '-f', "$place/dump.sql", '-d', $node->connstr('app') ], 'the dump');
# What has to be found, so that finding nothing means something
my $planted = "$prefix-planted";
$node->command_ok([ 'psql', '-X', '-q', '-d', $node->connstr('app'), '-c', "SELECT pg_logical_emit_message(false, 'test', '$planted')" ], 'a planted secret');
$node->safe_psql('app', 'CHECKPOINT');
my $data = $node->data_dir;
my @logs = ($node->logfile, $bridge->{log}, map { $_->{log} } @workers, $worker);
is(scalar(files_with("$place.needles", [$planted], $node->logfile)), 1, 'is found in the log');
is(scalar(files_with("$place.needles", [$planted], "$data/pg_wal")) > 0, 1, 'and in the WAL');
is(scalar(grep { -f } files_with("$place.needles", ['cn1.k2.'], "$place/dump.sql")), 1, 'as are sealed values in the dump');
is(scalar(files_with("$place.needles", ['cn1.k1.'], $node->logfile)), 1, 'and in the log, whose statements come with their parameters');
is(join(' ', files_with("$place.needles", \@secrets, $place)), '', 'no secret in answers, metrics, configuration and dump');
is(join(' ', files_with("$place.needles", \@secrets, @logs)), '', 'nor in the logs');
is(join(' ', files_with("$place.needles", \@secrets, $data)), '', 'nor in the tables and the WAL');
is($worker->stop, 0, 'the publisher ends well');
is($bridge->stop, 0, 'the bridge too');
$node->stop;
done_testing();
