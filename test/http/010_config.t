# Settings by file, environment and flag; read again on SIGHUP; the log, the admin port and the service.
use strict;
use warnings;
use IO::Socket::INET;
use JSON::PP;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusBridge qw(jwt);
use NexusTest qw(start_node);
use PostgreSQL::Test::Utils qw(append_to_file slurp_file);

my $node = start_node('config');
$node->safe_psql('postgres', q{
	CREATE ROLE visitor NOLOGIN;
	CREATE ROLE gate LOGIN NOINHERIT;
	GRANT visitor TO gate;
	CREATE FUNCTION double(n int) RETURNS int LANGUAGE sql IMMUTABLE RETURN 2 * n;
	CREATE FUNCTION fail() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22023'; END $$;
	CREATE FUNCTION header(name text) RETURNS text STABLE RETURN current_setting('request.headers')::json ->> name;
});
my $dir = $node->basedir;
my $program = $ENV{NEXUS_BRIDGE};
my $file = "$dir/bridge.toml";

sub write_file { my ($text) = @_; open(my $out, '>', $file) or die; print {$out} $text; close $out; return }

# The program with arguments, in an environment without settings of ours: exit code and all it says.
sub run_program { my ($arguments) = @_; my $said = `env -u NEXUS_CONFIG '$program' $arguments 2>&1`; return ($? >> 8, $said) }

# What a person sees
write_file("db-pool = 3\nadmin-server-prt = 1\njwt-secret = \"short\"\n");
my ($code, $said) = run_program("--config $file --check-config");
is($code, 1, 'a faulty file');
like($said, qr/line 2: there is no setting "admin-server-prt", did you mean "admin-server-port"/, 'names what is unknown');
write_file("db-pool = 3\njwt-secret = \"$NexusBridge::SECRET\"\n");
($code, $said) = run_program("--config $file --check-config");
is("$code $said", "0 the configuration is sound\n", 'a sound one');
($code, $said) = run_program("--config $file --dump-config --server-port 4000");
is($code, 0, 'the settings that count');
like($said, qr/^db-pool = 3  # file$/m, 'from the file');
like($said, qr/^server-port = 4000  # flag$/m, 'from a flag');
like($said, qr/^db-schemas = \["nexus"\]  # default$/m, 'and the others');
unlike($said, qr/\Q$NexusBridge::SECRET\E/, 'without secrets');
($code, $said) = run_program('--document-config');
is($said, slurp_file("$ENV{NEXUS_ROOT}/docs/bridge-settings.md"), 'docs/bridge-settings.md is what the program writes');

# A file with everything, for a bridge that runs
my $admin_port = PostgreSQL::Test::Cluster::get_free_port();
my $settings = qq(db-schemas = ["public"]\ndb-anon-role = "visitor"\nadmin-server-port = $admin_port\nmax-body = 1000\n);
write_file("$settings\[app.settings]\nhost = \"one\"\n");
my $bridge = NexusBridge->start($node, 'postgres', 'gate', config => $file);
ok($bridge->wait_ready, 'ready');
my $admin = HTTP::Tiny->new(timeout => 5);
my $config = $admin->get("http://127.0.0.1:$admin_port/config");
is($config->{status}, 200, 'admin port: /config');
like($config->{content}, qr/^max-body = 1000  # file$/m, 'shows the settings');
unlike($config->{content}, qr/\Q$NexusBridge::SECRET\E|dbname/, 'and no secrets');
is($bridge->get('/config')->{status}, 404, 'which are not public');

# Lines of the log that hold a pattern, as JSON
sub lines { my ($pattern) = @_; return map { decode_json($_) } grep { /$pattern/ } split /\n/, $bridge->log_text }

my $trace = '4bf92f3577b34da6a3ce929d0e0e4736';
my $answer = $bridge->get('/rpc/header?name=traceparent', 'X-Request-Id' => 'req-1', traceparent => "00-$trace-00f067aa0ba902b7-01");
is($answer->{headers}{'x-request-id'}, 'req-1', 'X-Request-Id comes back');
my ($line) = lines(qr/"req-1"/);
is(JSON::PP->new->allow_nonref->decode($answer->{content}), $line->{traceparent}, 'functions see the trace of the log');
like($line->{traceparent}, qr/^00-$trace-[0-9a-f]{16}-01$/, 'which goes on with that of the caller');
is("$line->{parent_id} $line->{method} $line->{path} $line->{status}", '00f067aa0ba902b7 GET /rpc/header 200', 'one line a request');
is($line->{bytes}, length $answer->{content}, 'with its bytes');
cmp_ok($line->{duration_ms}, '>', 0, 'and its time');
like($line->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'and when');
like($bridge->get('/rpc/double?n=1')->{headers}{'x-request-id'}, qr/^[0-9a-f]{32}$/, 'a request without an id gets one');
$bridge->rpc('fail', {}, 'X-Request-Id' => 'req-2', Authorization => 'Bearer ' . jwt(role => 'visitor', secret => 'claimed'));
($line) = lines(qr/"req-2"/);
is("$line->{status} $line->{sqlstate}", '400 22023', 'an error has its SQLSTATE');
$bridge->raw("GET /x HTTP/1.1\r\n\r\n");
($line) = lines(qr/"reason"/);
is("$line->{status} $line->{reason}", '400 There must be exactly one Host header', 'what is no request has a line as well');
unlike($bridge->log_text, qr/Bearer|eyJ|name=traceparent/, 'no tokens and no queries in the log');
ok((!grep { !eval { decode_json($_); 1 } } split /\n/, $bridge->log_text), 'every line is JSON');

# SIGHUP
sub change
{
	my ($text) = @_;
	my $before = () = $bridge->log_text =~ /settings (?:could not be )?read again/g;
	write_file($text);
	$bridge->signal('HUP');
	for (1 .. 200)
	{
		return 1 if (() = $bridge->log_text =~ /settings (?:could not be )?read again/g) > $before;
		sleep 0.02;
	}
	return 0;
}
my $large = { n => 1, filler => 'x' x 2000 };
is($bridge->rpc('double', $large)->{status}, 413, 'a body that is too large');
ok(change($settings =~ s/1000/5000/r . "db-pool = 2\nserver-cors-allowed-origins = [\"https://a.example\"]\n"), 'other settings');
is($bridge->rpc('double', $large)->{status}, 404, 'is not so any more');
is($bridge->get('/rpc/double?n=1', Origin => 'https://b.example')->{headers}{'access-control-allow-origin'}, undef, 'origins are those of the new settings');
like($bridge->log_text, qr/db-pool has changed: that needs a restart/, 'what cannot change is named');
like($admin->get("http://127.0.0.1:$admin_port/config")->{content}, qr/^db-pool = 8  # default$/m, 'and stays');
like($bridge->get('/rpc/double?n=1')->{headers}{'server-timing'} // '', qr/^$/, 'no Server-Timing');
ok(change($settings =~ s/1000/5000/r . "server-timing-enabled = true\nserver-cors-allowed-origins = [\"https://a.example\"]\n"), 'until it is wanted');
like($bridge->get('/rpc/double?n=1')->{headers}{'server-timing'} // '', qr/^jwt;dur=[\d.]+, .*transaction;dur=[\d.]+, response;dur=[\d.]+$/, 'then each part of the time is told');
ok(change("db-pool = \n"), 'a broken file');
like($bridge->log_text, qr/the old ones stay/, 'is refused');
is($bridge->rpc('double', $large)->{status}, 404, 'and changes nothing');
is($bridge->get('/rpc/double?n=1', Origin => 'https://a.example')->{headers}{'access-control-allow-origin'}, 'https://a.example', 'nothing at all');
ok(change("${settings}rate-limit-address = 0.001\nrate-limit-address-burst = 2\n"), 'a limit');
is(join(' ', map { $bridge->get('/rpc/double?n=1')->{status} } 1 .. 3), '200 200 429', 'counts from now on');
my $lines = () = $bridge->log_text =~ /rpc/g;
ok(change("${settings}rate-limit-address = 0.001\nrate-limit-address-burst = 2\nlog-level = \"warn\"\n"), 'a level');
is($bridge->get('/rpc/double?n=1')->{status}, 429, 'and goes on counting when other settings change');
is((() = $bridge->log_text =~ /rpc/g), $lines, 'no line a request any more');
$bridge->stop;

# keys
my ($old, $new) = ('old' x 12, 'new' x 12);
write_file("${settings}jwt-secret = \"\@$dir/secret\"\n");
sub write_secret { my ($text) = @_; open(my $out, '>', "$dir/secret") or die; print {$out} $text; close $out; return }
sub signed { my ($secret) = @_; local $NexusBridge::SECRET = $secret; return jwt(role => 'visitor') }
write_secret($old);
$bridge = NexusBridge->start($node, 'postgres', 'gate', config => $file, jwt_secret => '');
ok($bridge->wait_ready, 'keys in a file');
my $status = sub { my ($secret) = @_; return $bridge->get('/rpc/double?n=1', Authorization => 'Bearer ' . signed($secret))->{status} };
is($status->($old) . ' ' . $status->($new), '200 401', 'the key counts');
write_secret($new);
ok(change("${settings}jwt-secret = \"\@$dir/secret\"\n"), 'another key');
is($status->($old) . ' ' . $status->($new), '401 200', 'counts from now on, and the tokens of the old one are forgotten');

# a port is for one
my $second = NexusBridge->start($node, 'postgres', 'gate', db_schemas => 'public', db_anon_role => 'visitor', server_port => $bridge->{port});
is(waitpid($second->{pid}, 0), $second->{pid}, 'a second bridge on the port ends');
is($? >> 8, 1, 'with an error');
$second->{exit} = 1;
like($second->log_text, qr/cannot listen on .*in use/, 'that says why');
is($bridge->get('/rpc/double?n=2')->{content}, '4', 'the first one goes on');
my $beside = NexusBridge->start($node, 'postgres', 'gate', db_schemas => 'public', db_anon_role => 'visitor', server_port => $bridge->{port}, reuse_port => 'true');
for (1 .. 200) { last if $beside->log_text =~ /listening on/; sleep 0.02 }
like($beside->log_text, qr/listening on/, 'with reuse-port it may');
is($beside->stop, 0, 'and goes');
$bridge->stop;

# the service
SKIP:
{
	skip 'no systemd-analyze here', 2 if system('systemd-analyze --version >/dev/null 2>&1') != 0;
	my $unit = slurp_file("$ENV{NEXUS_ROOT}/bridge/systemd/creatornexus-bridge.service");
	$unit =~ s{/usr/local/bin/creatornexus-bridge}{$program}g;
	$unit =~ s{^Documentation=.*\n}{}m;
	append_to_file("$dir/creatornexus-bridge.service", $unit);
	my $verified = `systemd-analyze verify --man=no $dir/creatornexus-bridge.service 2>&1`;
	unlike($verified, qr/creatornexus/, 'the unit is sound') or diag($verified);
	my $exposure = `systemd-analyze security --offline=true --no-pager $dir/creatornexus-bridge.service 2>&1`;
	my ($level) = $exposure =~ /Overall exposure level.*?: ([\d.]+)/;
	cmp_ok($level // 10, '<', 2, 'and hardened') or diag($exposure);
}
{
	my ($checked, $why) = run_program("--config $ENV{NEXUS_ROOT}/bridge/systemd/bridge.toml --check-config");
	is("$checked $why", "0 the configuration is sound\n", 'and so are its settings');
}

# systemd is told
my $notify = "$dir/notify";
socket(my $listener, 1, 2, 0) or die "socket: $!";
bind($listener, pack('Sa*', 1, $notify)) or die "bind: $!";
{
	local $ENV{NOTIFY_SOCKET} = $notify;
	$bridge = NexusBridge->start($node, 'postgres', 'gate', db_schemas => 'public', db_anon_role => 'visitor');
}
recv($listener, my $message, 100, 0);
is($message, 'READY=1', 'the service manager hears that it serves');
is($bridge->stop, 0, 'ended');
recv($listener, $message, 100, 0);
is($message, 'STOPPING=1', 'and that it ends');
$node->stop;
done_testing();
