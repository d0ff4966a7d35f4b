package NexusPublisher;

# Running publishers for the tests, and the platforms that they publish to.

use strict;
use warnings;
use Exporter 'import';
use File::Basename qw(dirname);
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP;
use NexusBridge ();
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(platforms fault_proxy sink http_json fault faults_done key_file seal seed_posts posts_on wait_for);

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my $http = HTTP::Tiny->new(timeout => 30, keep_alive => 0);
my (@children, %logs);
our %environment;    # more variables for what is started

sub program { return dirname($ENV{NEXUS_BRIDGE}) . "/$_[0]" }

sub spawn
{
	my ($log, @command) = @_;
	my $pid = fork() // die "fork: $!";
	if (!$pid)
	{
		delete $ENV{$_} for grep { /^(NEXUS_|PG)/ } keys %ENV;
		@ENV{ keys %environment } = values %environment;
		open(STDOUT, '>>', $log) or die "log: $!";
		open(STDERR, '>&', \*STDOUT) or die "log: $!";
		exec(@command) or POSIX::_exit(127);
	}
	push @children, $pid;
	$logs{$log} = 1;
	return $pid;
}

END
{
	my $status = $?;
	kill KILL => @children if @children;
	waitpid($_, 0) for @children;
	$? = $status;
	for my $fault (grep { length } map { NexusBridge::sanitizer_text({ log => $_ }) } sort keys %logs)
	{
		diag("a sanitizer found a fault:\n" . substr($fault, 0, 8000));
		$? = 1;
	}
}

# One JSON request on loopback: (status, body).
sub http_json
{
	my ($method, $port, $path, $body) = @_;
	my %options = defined $body ? (content => $json->encode($body), headers => { 'Content-Type' => 'application/json' }) : ();
	my $answer = $http->request($method, "http://127.0.0.1:$port$path", \%options);
	return ($answer->{status}, eval { $json->decode($answer->{content}) });
}

sub serve
{
	my ($name, $path, @command) = @_;
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $log = $PostgreSQL::Test::Utils::log_path . "/${name}_$port.log";
	spawn($log, map { $_ eq 'PORT' ? $port : $_ } @command);
	for (1 .. 200)
	{
		my ($status) = http_json('GET', $port, $path);
		return $port if $status != 599;
		sleep 0.05;
	}
	die "$name does not start";
}

sub platforms { return serve('platforms', '/_posts', 'python3', "$ENV{NEXUS_ROOT}/test/publisher/platforms.py", 'PORT', @_) }
sub fault_proxy { return serve('proxy', '/_fault', 'python3', "$ENV{NEXUS_ROOT}/test/publisher/fault_proxy.py", 'PORT', $_[0]) }

sub sink
{
	my ($file, $secret, @flags) = @_;
	return serve('sink', '/posts', program('nexus-webhook-sink'), '--port', 'PORT', '--file', $file, '--secret', $secret, @flags);
}

sub fault { my ($proxy, %fault) = @_; http_json('PUT', $proxy, '/_fault', \%fault); return }
sub faults_done { my (undef, $done) = http_json('GET', $_[0], '/_fault'); return $done }

# What readers of the stand-ins see: platform => [texts].
sub posts_on
{
	my ($port) = @_;
	my (undef, $posts) = http_json('GET', $port, '/_posts');
	my %on;
	push @{ $on{ $_->{platform} } }, $_->{text} for @$posts;
	return \%on;
}

sub key_file
{
	my ($path) = @_;
	open(my $file, '>', $path) or die "$path: $!";
	print {$file} "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
	close($file);
	return $path;
}

sub seal
{
	my ($keys, $platform, $account, $column, $token) = @_;
	my $sealed = '';
	IPC::Run::run([ program('nexus-publisher'), '--key-file', $keys, 'seal', '--platform', $platform, '--account', $account, '--column', $column ],
		'<', \$token, '>', \$sealed) or die 'seal failed';
	chomp $sealed;
	return $sealed;
}

# A user ann, and accounts as given: {id, platform, account_id, instance_url, access, refresh, metadata}.
sub seed_posts
{
	my ($node, $keys, @accounts) = @_;
	my $hash = q{$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA};
	my $sql = "INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'a\@example.org', '$hash', 'A', 'A');\n";
	for my $account (@accounts)
	{
		my @tokens = map {
			my $token = $account->{$_};
			defined $token ? "'" . seal($keys, $account->{platform}, $account->{account_id}, "${_}_token", $token) . "'" : 'NULL'
		} qw(access refresh);
		$sql .= sprintf "INSERT INTO social_accounts (id, user_id, platform, account_id, account_name, handle, instance_url, access_token, refresh_token, metadata) VALUES (%d, 'ann', '%s', '%s', 'A', %s, '%s', %s, %s, '%s');\n",
		  $account->{id}, $account->{platform}, $account->{account_id}, $account->{handle} ? "'$account->{handle}'" : 'NULL', $account->{instance_url},
		  @tokens, $json->encode($account->{metadata} // {});
	}
	$node->safe_psql('app', $sql);
	return;
}

sub wait_for
{
	my ($node, $query, $wanted, $seconds) = @_;
	my $end = time + ($seconds // 30);
	my $got;
	while (time < $end)
	{
		$got = $node->safe_psql('app', $query);
		return $got if $got eq $wanted;
		sleep 0.05;
	}
	return $got;
}

# A publisher on database app of $node; settings by name (lease => 2).
sub start
{
	my ($class, $node, $keys, %settings) = @_;
	my $self = bless {}, $class;
	my $n = scalar @children;
	$self->{log} = $PostgreSQL::Test::Utils::log_path . "/publisher_$$" . "_$n.log";
	my %all = (db_uri => $node->connstr('app'), key_file => $keys, allow_network => '127.0.0.0/8', lease => 3, timeout => 2, verify_after => 0.5,
		worker => "w$n", %settings);
	$self->{command} = [ program('nexus-publisher'), map { ('--' . tr/_/-/r, $all{$_}) } sort keys %all ];
	return $self->again;
}

sub again { my ($self) = @_; $self->{pid} = spawn($self->{log}, @{ $self->{command} }); return $self }

sub signal { my ($self, $name) = @_; kill $name => $self->{pid}; return }

sub kill_hard
{
	my ($self) = @_;
	kill KILL => $self->{pid};
	waitpid($self->{pid}, 0);
	@children = grep { $_ != $self->{pid} } @children;
	return;
}

# Ends it with SIGTERM; gives its exit status, or -1 when it had to be killed.
sub stop
{
	my ($self, $seconds) = @_;
	kill TERM => $self->{pid};
	my $end = time + ($seconds // 20);
	my $status = -1;
	while ($status < 0 && time < $end)
	{
		$status = $? if waitpid($self->{pid}, WNOHANG) == $self->{pid};
		sleep 0.02;
	}
	if ($status < 0) { $self->kill_hard }
	@children = grep { $_ != $self->{pid} } @children;
	return $status;
}

sub log_text
{
	my ($self) = @_;
	open(my $file, '<', $self->{log}) or return '';
	local $/;
	return <$file>;
}

1;
