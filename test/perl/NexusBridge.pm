package NexusBridge;

# A running bridge for the tests under test/http, and what they need to talk to it.

use strict;
use warnings;
use Digest::SHA qw(hmac_sha256);
use Exporter 'import';
use HTTP::Tiny;
use IO::Select;
use IO::Socket::INET;
use JSON::PP;
use MIME::Base64 qw(encode_base64url);
use POSIX qw(:sys_wait_h);
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(jwt $SECRET);
our $SECRET = 'a-secret-that-is-for-tests-alone-0123456789';

my $json = JSON::PP->new->utf8->canonical->allow_nonref;

# A signed HS256 token of the claims.
sub jwt
{
	my (%claims) = @_;
	my $signed = encode_base64url('{"alg":"HS256","typ":"JWT"}') . '.' . encode_base64url($json->encode(\%claims));
	return $signed . '.' . encode_base64url(hmac_sha256($signed, $SECRET));
}

# Starts the bridge on database $db of $node as role $user; further settings by name: (db_pool => 2).
sub start
{
	my ($class, $node, $db, $user, %settings) = @_;
	my $port = $settings{server_port} // PostgreSQL::Test::Cluster::get_free_port();
	my $self = bless { port => $port, http => HTTP::Tiny->new(timeout => 30, keep_alive => 0) }, $class;
	$self->{log} = $PostgreSQL::Test::Utils::log_path . "/bridge_$port.log";
	my %all = (
		db_uri => $node->connstr($db) . " user=$user",
		jwt_secret => $SECRET,
		server_port => $port,
		server_threads => 2,
		%settings);
	$self->{pid} = fork() // die "fork: $!";
	if (!$self->{pid})
	{
		delete $ENV{$_} for grep { /^(NEXUS_|PG)/ && $_ ne 'NEXUS_BRIDGE' } keys %ENV;
		$ENV{TSAN_OPTIONS} //= 'halt_on_error=1';
		$ENV{ 'NEXUS_' . uc $_ } = $all{$_} for keys %all;
		open(STDERR, '>', $self->{log}) or die "log: $!";
		exec($ENV{NEXUS_BRIDGE}) or POSIX::_exit(127);
	}
	return $self;
}

# Waits until /ready answers 200; true in time.
sub wait_ready
{
	my ($self, $seconds) = @_;
	my $end = time + ($seconds // 15);
	while (time < $end)
	{
		return 1 if $self->get('/ready')->{status} == 200;
		sleep 0.02;
	}
	diag("the bridge did not become ready:\n" . $self->log_text);
	return 0;
}

# One request: {status, headers, content, json}.
sub request
{
	my ($self, $method, $path, $body, %headers) = @_;
	my %options = (headers => \%headers);
	$options{content} = ref $body ? $json->encode($body) : $body if defined $body;
	$headers{'Content-Type'} //= 'application/json' if defined $body;
	my $answer = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path", \%options);
	$answer->{json} = eval { $json->decode($answer->{content}) };
	return $answer;
}

sub get { my ($self, $path, %headers) = @_; return $self->request('GET', $path, undef, %headers) }

sub rpc
{
	my ($self, $function, $arguments, %headers) = @_;
	return $self->request('POST', "/rpc/$function", $arguments // {}, %headers);
}

# A raw connection.
sub connect
{
	my ($self) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Proto => 'tcp', Timeout => 5)
	  || die "connect: $!";
}

# Sends bytes as they are and gives everything that comes back until the end. The sending side is closed when an answer is on
# its way, or after a second without one: the bridge does not work long for those who have closed it.
sub raw
{
	my ($self, $bytes) = @_;
	my $socket = $self->connect;
	local $SIG{PIPE} = 'IGNORE';
	local $SIG{ALRM} = sub { die "no answer\n" };
	alarm 20;
	print {$socket} $bytes;
	IO::Select->new($socket)->can_read(1);
	$socket->shutdown(1);
	my $answer = do { local $/; <$socket> };
	alarm 0;
	return $answer // '';
}

# The status of a raw request, 0 without an answer.
sub raw_status
{
	my ($self, $bytes) = @_;
	return $self->raw($bytes) =~ m{^HTTP/1\.1 (\d+) } ? $1 : 0;
}

sub signal { my ($self, $name) = @_; kill $name => $self->{pid}; return }

# Ends it with SIGTERM; gives its exit status, or -1 when it had to be killed.
sub stop
{
	my ($self, $seconds) = @_;
	return $self->{exit} if defined $self->{exit};
	kill TERM => $self->{pid};
	my $end = time + ($seconds // 20);
	while (time < $end)
	{
		if (waitpid($self->{pid}, WNOHANG) == $self->{pid})
		{
			$self->{exit} = $?;
			my $fault = $self->sanitizer_text;
			fail('a sanitizer found a fault') if $fault;
			diag(substr($fault, 0, 8000)) if $fault;
			return $self->{exit};
		}
		sleep 0.02;
	}
	kill KILL => $self->{pid};
	waitpid($self->{pid}, 0);
	return $self->{exit} = -1;
}

# Whether the bridge is built with a sanitizer, so that its memory says little about what it needs.
sub is_sanitized { return scalar(`ldd $ENV{NEXUS_BRIDGE}` =~ /lib[at]san/) }

# What a sanitizer said about the bridge; nothing without fault, and where it was built without one.
sub sanitizer_text
{
	my ($self) = @_;
	my $text = log_text($self);
	return $text =~ /Sanitizer: |runtime error: /g ? substr($text, rindex($text, "\n", pos $text) + 1) : '';
}

sub log_text
{
	my ($self) = @_;
	open(my $file, '<', $self->{log}) or return '';
	local $/;
	return <$file>;
}

sub DESTROY
{
	my ($self) = @_;
	local $?;
	$self->stop if $self->{pid};
	return;
}

1;
