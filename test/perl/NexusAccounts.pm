package NexusAccounts;

# A provider of accounts (npm: oauth2-mock-server) for tests, and where a secret in clear would be found.

use strict;
use warnings;
use Exporter 'import';
use File::Copy qw(copy);
use File::Find qw(find);
use File::Path qw(make_path);
use HTTP::Tiny;
use MIME::Base64 qw(encode_base64);
use NexusPublisher qw(http_json);
use NexusTest qw(root);

our @EXPORT_OK = qw(provider control provider_log secrets authorize add_provider files_with);

# The provider's port; nothing where npm is not reachable.
sub provider
{
	my ($prefix) = @_;
	my $work = root() . '/.run/npm/accounts';
	make_path($work);
	copy($_, $work) || die "$_: $!" for glob(root() . '/test/accounts/*');
	return if system("cd '$work' && timeout 300 npm install --no-audit --no-fund --no-package-lock --prefer-offline >npm.log 2>&1") != 0;
	return NexusPublisher::serve('provider', '/_log', 'node', "$work/provider.mjs", 'PORT', $prefix);
}

sub control { my ($port, %wanted) = @_; http_json('PUT', $port, '/_control', \%wanted); return }
sub provider_log { my (undef, $log) = http_json('GET', $_[0], '/_log'); return @$log }
sub secrets { my (undef, $secrets) = http_json('GET', $_[0], '/_secrets'); return @$secrets }

# What a browser does with an authorization URL: the path and query that it comes back to.
sub authorize
{
	my ($url) = @_;
	my $location = HTTP::Tiny->new(max_redirect => 0)->get($url)->{headers}{location} // '';
	return $location =~ s{^https?://[^/]+}{}r;
}

sub add_provider
{
	my ($node, $port, $name, $platform, %more) = @_;
	my %row = (name => $name, platform => $platform, client_id => 'our app', scopes => '{read,write}', authorization_endpoint => "http://127.0.0.1:$port/authorize",
		token_endpoint => "http://127.0.0.1:$port/token", userinfo_endpoint => "http://127.0.0.1:$port/userinfo", revocation_endpoint => "http://127.0.0.1:$port/revoke", %more);
	my @names = sort keys %row;
	$node->safe_psql('app', sprintf 'INSERT INTO nexus.oauth_providers (%s) VALUES (%s)', join(', ', @names), join(', ', map { "'$row{$_}'" } @names));
	return;
}

# All ways in which a secret may have been written: as it is, percent-encoded, in hex, in both alphabets of base64 at each of
# the three places that it can begin at.
sub forms
{
	my ($secret) = @_;
	my %forms = ($secret => 1, ($secret =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ger) => 1, unpack('H*', $secret) => 1);
	for my $shift (0 .. 2)
	{
		my $text = encode_base64('x' x $shift . $secret, '');
		$text =~ s/=+$//;
		$text = substr($text, $shift ? 4 : 0);
		chop $text;    # the last character may hold bits of what follows
		$forms{$text} = $forms{ $text =~ tr{+/}{-_}r } = 1;
	}
	return keys %forms;
}

# The files below @places (files or folders) that hold one of the secrets in any form.
sub files_with
{
	my ($scratch, $secrets, @places) = @_;
	open(my $file, '>', $scratch) or die "$scratch: $!";
	print {$file} "$_\n" for map { forms($_) } @$secrets;
	close($file);
	my @found = split /\n/, qx{grep -rlaF -f '$scratch' @{[ map { "'$_'" } @places ]} 2>/dev/null};
	unlink $scratch;
	return @found;
}

1;
