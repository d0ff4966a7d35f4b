package NexusMediaWorker;

# Running media workers for the tests, and files to give them.

use strict;
use warnings;
use Exporter 'import';
use File::Path qw(make_path);
use JSON::PP;
use NexusPublisher ();
use PostgreSQL::Test::Utils;

our @ISA = ('NexusPublisher');
our @EXPORT_OK = qw(make_files seed_media uploaded object);

my $json = JSON::PP->new->utf8->allow_nonref;

# So many files of all kinds, one in ten broken or lying: a list of what test/media/files.py says about each.
sub make_files
{
	my ($folder, $count, $seed) = @_;
	system('/usr/bin/python3', "$ENV{NEXUS_ROOT}/test/media/files.py", $folder, $count, $seed) == 0 or die 'files cannot be made';
	open(my $manifest, '<', "$folder/manifest.jsonl") or die "manifest: $!";
	my @files = map { my $file = $json->decode($_); $file->{path} = "$folder/$file->{path}"; $file } <$manifest>;
	return @files;
}

# A user ann, who is signed in wherever the database's superuser is, and may upload what tests need.
sub seed_media
{
	my ($node) = @_;
	my $hash = q{$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA};
	$node->safe_psql('app', qq{
	INSERT INTO users (id, email, password, first_name, last_name) VALUES ('ann', 'a\@example.org', '$hash', 'A', 'A');
	INSERT INTO nexus.login_users SELECT session_user, 'ann'});
	return;
}

sub quote { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" }

# Where the store keeps an object.
sub object { my ($store, $key) = @_; return "$store/objects/" . substr($key, 0, 2) . "/$key" }

# Uploads files: each gets {id} and {key}. The bytes go into the directory $store the way the bridge leaves them there when an
# upload is whole; only then the database learns of it.
sub uploaded
{
	my ($node, $store, @files) = @_;
	my @made = split /\n/, $node->safe_psql('app', join '', map {
		"SELECT concat_ws(' ', f ->> 'id', f ->> 'storage_key', f ->> 'file_key') FROM nexus.create_upload(" . quote($_->{file_name}) . ', ' . (-s $_->{path}) . ', ' . quote($_->{mime_type}) . ") f;\n"
	} @files);
	my $whole = "BEGIN;\n";
	for my $file (@files)
	{
		($file->{id}, $file->{key}, my $name) = split / /, shift @made;
		make_path("$store/objects/" . substr($file->{key}, 0, 2));
		link($file->{path}, object($store, $file->{key})) or die "link: $!";
		$whole .= "SELECT FROM nexus.note_upload('$name', " . (-s $file->{path}) . ");\n";
	}
	$node->safe_psql('app', $whole . "UPDATE nexus.jobs SET max_attempts = 100 WHERE kind = 'media' AND state = 'ready';\nCOMMIT;\n");
	return;
}

# A worker on database app of $node, with its store; settings by name (lease => 2).
sub start
{
	my ($class, $node, $store, %settings) = @_;
	my $self = bless {}, $class;
	my $n = ++$NexusMediaWorker::workers;
	$self->{log} = $PostgreSQL::Test::Utils::log_path . "/media_worker_$$" . "_$n.log";
	my %all = (db_uri => $node->connstr('app'), media_store => $store, lease => 2, worker => "media$n", %settings);
	$self->{command} = [ NexusPublisher::program('nexus-media-worker'), map { ('--' . tr/_/-/r, $all{$_}) } sort keys %all ];
	return $self->again;
}

1;
