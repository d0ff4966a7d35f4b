package NexusMedia;

# Uploads for the tests: a database with users, a bridge with a store, tus requests.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Exporter 'import';
use File::Copy qw(copy);
use File::Path qw(make_path);
use MIME::Base64 qw(encode_base64);
use NexusBridge qw(jwt);
use NexusTest qw(deploy root);

our @EXPORT_OK = qw(seed_users token tus announce finish npm_folder bridge);

our $bridge_program = $ENV{NEXUS_BRIDGE};
my $password = '$2b$12$' . ('a' x 53);

sub seed_users
{
	my ($node) = @_;
	deploy($node, 'app');
	$node->safe_psql('app', "INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'a\@example.org', '$password', 'A', 'N'), ('bob', 'b\@example.org', '$password', 'B', 'O');
		INSERT INTO social_posts (id, user_id, title, caption, content_type) VALUES (1, 'ann', 'one', 'tea', 'post')");
	return;
}

sub token { return jwt(role => 'nexus_app', sub => $_[0], exp => time + 3600) }

sub bridge
{
	my ($node, $store, %settings) = @_;
	return NexusBridge->start($node, 'app', 'nexus_bridge', db_anon_role => 'nexus_anon', media_store => $store,
		session_keys => 'k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', %settings);
}

# A request of the protocol in the name of ann, unless told otherwise.
sub tus
{
	my ($bridge, $method, $path, $body, %headers) = @_;
	%headers = ('Tus-Resumable' => '1.0.0', Authorization => 'Bearer ' . token('ann'), %headers);
	$headers{'Content-Type'} //= 'application/offset+octet-stream' if defined $body;
	delete $headers{$_} for grep { !defined $headers{$_} } keys %headers;
	return $bridge->request($method, $path, $body, %headers);
}

# Announces a file; gives the path of its upload.
sub announce
{
	my ($bridge, $size, $name, %headers) = @_;
	my $answer = tus($bridge, 'POST', '/files', undef, 'Upload-Length' => $size,
		'Upload-Metadata' => 'filename ' . encode_base64($name // 'a.png', '') . ',filetype ' . encode_base64('image/png', ''), %headers);
	return $answer->{headers}{location} // "$answer->{status} $answer->{content}";
}

# What the measuring worker does with every file that waits, as far as the database is concerned.
sub finish
{
	my ($node, $sha256, %facts) = @_;
	my $facts = join ', ', "'file_size', f.size", "'sha256', '$sha256'", map { "'$_', '$facts{$_}'" } keys %facts;
	return $node->safe_psql('app', "SELECT nexus.finish_media(j.id, j.lease_token, jsonb_build_object($facts)) ->> 'state'
		FROM nexus.claim_jobs('{media}', 1) j JOIN nexus.media_files f ON f.id = j.ref_id");
}

# Where the clients from npm are; nothing where npm is not reachable.
sub npm_folder
{
	my $work = root() . '/.run/npm/media';
	make_path($work);
	copy($_, $work) || die "$_: $!" for glob(root() . '/test/http/media/*');
	return system("cd '$work' && timeout 300 npm install --no-audit --no-fund --ignore-scripts --no-package-lock --prefer-offline >npm.log 2>&1") == 0 ? $work : undef;
}

1;
