# Uploads by the tus protocol into a directory and into an S3 bucket: requests as they come on the wire, tus-js-client with a
# cut in the middle, the bridge killed in the middle, a full disk, and files as they are shown. Clients need npm.
use strict;
use warnings;
use Digest::SHA qw(sha1 sha256 sha256_hex);
use File::Path qw(make_path);
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node);
use NexusMedia qw(seed_users token tus announce finish npm_folder bridge);
use NexusPublisher;

my $node = start_node('media');
seed_users($node);
my $store = $node->basedir . '/media';
my $bridge = bridge($node, $store);
ok($bridge->wait_ready, 'ready');
sub file { return $node->safe_psql('app', "SELECT $_[1] FROM nexus.media_files WHERE file_key = '" . ($_[0] =~ s/.*\///r) . "'") }
sub key { return file($_[0], 'storage_key') }
sub stored { my ($path) = @_; my $k = key($path); open(my $f, '<:raw', "$store/objects/" . substr($k, 0, 2) . "/$k") or return undef; local $/; return <$f> }
sub offset { return tus($bridge, 'HEAD', $_[0])->{headers}{'upload-offset'} }
sub status { my ($method, $path, $body, %h) = @_; return tus($bridge, $method, $path, $body, %h)->{status} }

# What it can do
my $can = $bridge->request('OPTIONS', '/files');
is(join(' ', $can->{status}, @{ $can->{headers} }{qw(tus-version tus-resumable tus-extension tus-checksum-algorithm tus-max-size)}),
	'204 1.0.0 1.0.0 creation,creation-with-upload,termination,checksum,expiration sha1,sha256 2147483648', 'OPTIONS');
my $cross = tus($bridge, 'OPTIONS', '/files', undef, Origin => 'https://app.example.org', 'Access-Control-Request-Method' => 'PATCH', 'Access-Control-Request-Headers' => 'tus-resumable,upload-offset');
like("$cross->{status} $cross->{headers}{'access-control-allow-methods'} $cross->{headers}{'access-control-allow-headers'}", qr/^200 .*PATCH.* .*tus-resumable, upload-offset/, 'a preflight');
like(tus($bridge, 'OPTIONS', '/files', undef, Origin => 'https://app.example.org')->{headers}{'access-control-expose-headers'}, qr/Location.*Upload-Offset/, 'a page may read the headers');

# What is refused before a byte is taken
is(status('POST', '/files', undef, 'Upload-Length' => 3, 'Tus-Resumable' => undef), 412, 'no version');
is(tus($bridge, 'POST', '/files', undef, 'Upload-Length' => 3, 'Tus-Resumable' => '0.2.2')->{headers}{'tus-version'}, '1.0.0', 'another version');
is(status('POST', '/files', undef, 'Upload-Length' => 3, Authorization => undef), 401, 'nobody');
is(status('POST', '/files', undef, 'Upload-Length' => $_), 400, "length $_") for '-1', 'x', '', '1e3', '9' x 19;
is(status('POST', '/files', undef, 'Upload-Defer-Length' => 1), 400, 'no length yet');
is(status('POST', '/files', undef, 'Upload-Length' => 0), 400, 'nothing');
is(status('POST', '/files', undef, 'Upload-Length' => 2147483649), 413, 'beyond what the bridge takes');
is(status('POST', '/files', undef, 'Upload-Length' => 1073741825), 413, 'beyond what the user may');
is(status('POST', '/files', undef, 'Upload-Length' => 3, 'Upload-Metadata' => $_), 400, "metadata $_") for 'filename !!!', 'filename /w==';
is(status('POST', '/files', 'abc', 'Upload-Length' => 3, 'Content-Type' => 'text/plain'), 415, 'a body of another type');
is(status('PUT', '/files', undef), 405, 'another method');
is(status('GET', '/files/00000000-0000-4000-8000-000000000000'), 405, 'GET is for /media');
is(status('HEAD', "/files/$_"), 404, "HEAD $_") for '00000000-0000-4000-8000-000000000000', 'x', '../etc', '00000000-0000-4000-8000-00000000000g';

# Piece by piece
my $path = announce($bridge, 11, '../ä.png');
like($path, qr{^/files/[0-9a-f-]{36}$}, 'announced');
is(file($path, "file_name || ' ' || mime_type || ' ' || state"), 'ä.png image/png uploading', 'as it was named');
my $begun = tus($bridge, 'HEAD', $path);
is("$begun->{status} $begun->{headers}{'upload-offset'} $begun->{headers}{'upload-length'} $begun->{headers}{'cache-control'}", '200 0 11 no-store', 'HEAD');
like($begun->{headers}{'upload-expires'}, qr/^\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT$/, 'until when');
is(status('HEAD', $path, undef, Authorization => 'Bearer ' . token('bob')), 404, 'not for others');
is(status('PATCH', $path, 'hello', 'Upload-Offset' => 0, Authorization => 'Bearer ' . token('bob')), 404, 'nor to write to');
is(status('DELETE', $path, undef, Authorization => 'Bearer ' . token('bob')), 404, 'nor to delete');
is(status('PATCH', $path, 'hello', 'Upload-Offset' => 0, 'Content-Type' => 'text/plain'), 415, 'a piece of another type');
is(status('PATCH', $path, 'hello'), 400, 'no offset');
is(status('PATCH', $path, 'hello', 'Upload-Offset' => 1), 409, 'a gap');
is(status('PATCH', $path, 'hello hello hello', 'Upload-Offset' => 0), 413, 'too much');
is(status('PATCH', $path, 'hello', 'Upload-Offset' => 0, 'Tus-Resumable' => undef), 412, 'no version');
my $first = tus($bridge, 'PATCH', $path, 'hello', 'Upload-Offset' => 0);
is("$first->{status} $first->{headers}{'upload-offset'} $first->{headers}{'tus-resumable'}", '204 5 1.0.0', 'a piece');
is(status('PATCH', $path, 'hello', 'Upload-Offset' => 0), 409, 'the same again');
is(offset($path), 5, 'where it is');
is(status('PATCH', $path, '', 'Upload-Offset' => 5), 204, 'an empty piece');
is(status('POST', $path, ' wor', 'Upload-Offset' => 5, 'X-HTTP-Method-Override' => 'PATCH'), 204, 'a method in a header');
my $chunked = $bridge->raw("PATCH $path HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nAuthorization: Bearer " . token('ann')
	  . "\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: 9\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nl\r\n1\r\nd\r\n0\r\n\r\n");
like($chunked, qr/^HTTP\/1.1 204 .*Upload-Offset: 11\r\n/s, 'chunks');
is(stored($path), 'hello world', 'whole');
is(file($path, "state || ' ' || received"), 'uploaded 11', 'and known to be');
is($node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE kind = 'media' AND ref_id = (SELECT max(id) FROM nexus.media_files WHERE state = 'uploaded')"), 1, 'a job measures it');
is(offset($path) . ' ' . status('PATCH', $path, 'x', 'Upload-Offset' => 11) . ' ' . status('PATCH', $path, 'x', 'Upload-Offset' => 3), '11 413 409', 'nothing can be added');

# One request for all, checksums
my $whole = tus($bridge, 'POST', '/files', 'all at once', 'Upload-Length' => 11, 'Upload-Checksum' => 'sha256 ' . encode_base64(sha256('all at once'), ''));
is("$whole->{status} $whole->{headers}{'upload-offset'} " . stored($whole->{headers}{location}), '201 11 all at once', 'creation with upload');
my $sum = announce($bridge, 10);
is(status('PATCH', $sum, 'hello', 'Upload-Offset' => 0, 'Upload-Checksum' => $_), 400, "checksum $_") for 'md5 XUFAKrxLKna5cZ2REBfFkg==', 'sha1 AA==', 'sha1';
is(status('PATCH', $sum, 'hello', 'Upload-Offset' => 0, 'Upload-Checksum' => 'sha1 ' . encode_base64(sha1('hello'), '')), 204, 'sha1 agrees');
is(status('PATCH', $sum, 'wurld', 'Upload-Offset' => 5, 'Upload-Checksum' => 'sha1 ' . encode_base64(sha1('world'), '')) . ' ' . offset($sum), '460 5', 'one that does not leaves nothing');
is(status('PATCH', $sum, 'world', 'Upload-Offset' => 5, 'Upload-Checksum' => 'sha256 ' . encode_base64(sha256('world'), '')) . ' ' . stored($sum), '204 helloworld', 'sha256 agrees');

# Ending it
my $given_up = announce($bridge, 10);
status('PATCH', $given_up, 'hello', 'Upload-Offset' => 0);
is(status('DELETE', $given_up) . ' ' . status('HEAD', $given_up) . ' ' . status('DELETE', $given_up), '204 404 404', 'termination');

# Cut in the middle; two at a time
sub begin
{
	my ($upload, $at, $size, $bytes, %headers) = @_;
	my $socket = $bridge->connect;
	print {$socket} "PATCH $upload HTTP/1.1\r\nHost: x\r\nTus-Resumable: 1.0.0\r\nAuthorization: Bearer " . token('ann')
	  . "\r\nContent-Type: application/offset+octet-stream\r\nUpload-Offset: $at\r\nContent-Length: $size\r\n"
	  . join('', map { "$_: $headers{$_}\r\n" } keys %headers) . "\r\n$bytes";
	$socket->flush;
	return $socket;
}
sub soon { my ($what) = @_; for (1 .. 100) { return 1 if $what->(); sleep 0.05 } return 0 }
my $cut = announce($bridge, 1000000);
my $half = begin($cut, 0, 1000000, 'x' x 300000);
ok(soon(sub { offset($cut) > 0 }), 'bytes are kept as they come');
my $second = tus($bridge, 'PATCH', $cut, 'x', 'Upload-Offset' => 0);
is("$second->{status} $second->{headers}{'retry-after'}", '423 1', 'one writer at a time');
close $half;
ok(soon(sub { offset($cut) == 300000 && file($cut, 'received') == 300000 }), 'a cut keeps what has come');
my $doubted = begin($cut, 300000, 700000, 'y' x 200000, 'Upload-Checksum' => 'sha1 ' . encode_base64(sha1('other'), ''));
sleep 0.3;
close $doubted;
ok(soon(sub { status('PATCH', $cut, '', 'Upload-Offset' => 300000) == 204 }), 'but not what has a checksum');
is(offset($cut), 300000, 'nothing of that');
my $expecting = begin($cut, 300000, 700000, '', Expect => '100-continue');
is(readline($expecting), "HTTP/1.1 100 Continue\r\n", '100 Continue when the body may come');
close $expecting;
ok(soon(sub { status('PATCH', $cut, '', 'Upload-Offset' => 300000) == 204 }), 'free again');
my $held = $node->background_psql('app');
$held->query_safe('BEGIN; LOCK TABLE nexus.media_files');
my $reset = begin($cut, 300000, 700000, '');
sleep 0.3;
setsockopt($reset, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0));
close $reset;
sleep 0.2;
$held->query_safe('COMMIT');
$held->quit;
ok(soon(sub { status('PATCH', $cut, '', 'Upload-Offset' => 300000) == 204 }), 'a client that leaves before the database has answered keeps no place');
my $refused = begin($cut, 5, 700000, '', Expect => '100-continue');
like(readline($refused), qr/^HTTP\/1.1 409 /, 'and an error instead when it may not');

# Killed in the middle
ok(soon(sub { status('PATCH', $cut, '', 'Upload-Offset' => 300000) == 204 }), 'free again');
my $dying = begin($cut, 300000, 700000, 'x' x 400000);
ok(soon(sub { offset($cut) == 700000 }), 'most of it is there');
$bridge->signal('KILL');
waitpid($bridge->{pid}, 0);
delete $bridge->{pid};
$bridge = bridge($node, $store);
$bridge->wait_ready;
is(offset($cut), 700000, 'a bridge that is killed loses nothing of it');
is(status('PATCH', $cut, 'x' x 300000, 'Upload-Offset' => 700000) . ' ' . (stored($cut) eq 'x' x 1000000), '204 1', 'it goes on where it was');
# between the last byte and the word of it
my $late = announce($bridge, 4);
make_path("$store/parts");
open(my $part, '>', "$store/parts/" . key($late)) || die $!;
print {$part} 'tail';
close $part;
is(offset($late) . ' ' . file($late, 'state') . ' ' . stored($late), '4 uploaded tail', 'one that died before it told is completed by the next question');

# Limits
$node->safe_psql('app', "DELETE FROM nexus.media_files WHERE state = 'uploading'; INSERT INTO nexus.media_limits VALUES ('ann', 5000000, 20000000, 2)");
my @open = map { announce($bridge, 10) } 1 .. 3;
like($open[2], qr/^429 .*open already/, 'so many uploads at a time');
$node->safe_psql('app', "DELETE FROM nexus.media_files WHERE state = 'uploading'");
like(announce($bridge, 5000001), qr/^413 /, 'so large a file');
$node->safe_psql('app', "DELETE FROM nexus.media_limits");
$bridge->stop;
$bridge = bridge($node, $store, media_max_receiving => 1);
$bridge->wait_ready;
my $slow = announce($bridge, 100);
my $busy = begin($slow, 0, 100, 'x');
ok(soon(sub { offset($slow) == 1 }), 'one is received');
my $turned_away = tus($bridge, 'PATCH', announce($bridge, 100), 'x', 'Upload-Offset' => 0);
is("$turned_away->{status} $turned_away->{headers}{'retry-after'}", '503 1', 'others come later');
close $busy;
$bridge->stop;

# A full disk: the limit of a file's size is one
{
	local $ENV{NEXUS_BRIDGE} = $node->basedir . '/limited';
	open(my $script, '>', $ENV{NEXUS_BRIDGE}) || die $!;
	print {$script} "#!/bin/bash\nulimit -f 4096\nexec '$NexusMedia::bridge_program' \"\$\@\"\n";
	close $script;
	chmod 0755, $ENV{NEXUS_BRIDGE};
	$bridge = bridge($node, $store);
}
$bridge->wait_ready;
my $full = announce($bridge, 6000000);
my $no_room = tus($bridge, 'PATCH', $full, 'z' x 6000000, 'Upload-Offset' => 0);
is("$no_room->{status} " . offset($full), '507 ' . 4096 * 1024, 'no room: what fits is kept');
like(announce($bridge, 1000000000), qr{^(/files/|507)}, 'a file for which there is no room is refused at once, where the disk says so');
$bridge->stop;
$bridge = bridge($node, $store);
$bridge->wait_ready;
is(status('PATCH', $full, 'z' x (6000000 - 4096 * 1024), 'Upload-Offset' => 4096 * 1024) . ' ' . (stored($full) eq 'z' x 6000000), '204 1', 'and goes on when there is room');

# Files as they are shown
$node->safe_psql('app', "DELETE FROM nexus.media_files; DELETE FROM nexus.jobs WHERE kind = 'media'");
my $shown = tus($bridge, 'POST', '/files', '0123456789', 'Upload-Length' => 10, 'Upload-Metadata' => 'filename ' . encode_base64('a "b".png', ''))->{headers}{location};
my $media = $shown =~ s/files/media/r;
my @ann = (Authorization => 'Bearer ' . token('ann'));
is($bridge->get($media, @ann)->{status}, 404, 'not before it is measured');
is(finish($node, sha256_hex('0123456789'), media_type => 'image', mime_type => 'image/png'), 'ready', 'measured');
my $answer = $bridge->get($media, @ann);
is("$answer->{status} $answer->{content} " . join(' ', @{ $answer->{headers} }{qw(content-type content-length x-content-type-options content-disposition accept-ranges)}),
	"200 0123456789 image/png 10 nosniff inline; filename*=UTF-8''a%20%22b%22.png bytes", 'a file');
is($bridge->get($media)->{status} . ' ' . $bridge->get($media, Authorization => 'Bearer ' . token('bob'))->{status}, '401 404', 'its owner\'s alone');
for my $case ([ 'bytes=2-4', '206 234 bytes 2-4/10' ], [ 'bytes=7-', '206 789 bytes 7-9/10' ], [ 'bytes=-3', '206 789 bytes 7-9/10' ], [ 'bytes=8-99', '206 89 bytes 8-9/10' ],
	[ 'bytes=0-1,3-4', '200 0123456789 -' ], [ 'bytes=4-2', '200 0123456789 -' ], [ 'lines=1-2', '200 0123456789 -' ])
{
	my $part = $bridge->get($media, @ann, Range => $case->[0]);
	is("$part->{status} $part->{content} " . ($part->{headers}{'content-range'} // '-'), $case->[1], $case->[0]);
}
my $beyond = $bridge->get($media, @ann, Range => 'bytes=10-');
is("$beyond->{status} $beyond->{headers}{'content-range'}", '416 bytes */10', 'a range behind the end');
is($bridge->get($media, @ann, 'If-None-Match' => $answer->{headers}{etag})->{status}, 304, 'unchanged');
is($bridge->get($media, @ann, Range => 'bytes=1-2', 'If-Range' => '"other"')->{content}, '0123456789', 'a range of another state is all of it');
my $head = $bridge->request('HEAD', $media, undef, @ann);
is("$head->{status} $head->{headers}{'content-length'} $head->{content}", '200 10 ', 'HEAD');
is($bridge->get("$media/thumbnail", @ann)->{status}, 404, 'no thumbnail');
my $signed = $bridge->get("$media/url?seconds=60", @ann)->{json}{url};
is($bridge->get($signed)->{content}, '0123456789', 'a signed address is for everybody');
is($bridge->get($signed =~ s/expires=(\d+)/'expires=' . ($1 + 1)/er)->{status}, 403, 'not another time');
is($bridge->get($signed =~ s/.$/$& eq 'A' ? 'B' : 'A'/er)->{status} . ' ' . $bridge->get($signed =~ s/signature=.*/signature=/r)->{status}, '403 401', 'nor another signature');
is($bridge->get("$media/url?seconds=999999", @ann)->{status} . ' ' . $bridge->get("$media/url", Authorization => 'Bearer ' . token('bob'))->{status}, '400 404', 'nor for longer, or by others');
is($bridge->rpc('attach_media', { social_post_id => 1, file_key => $media =~ s/.*\///r }, @ann)->{status}, 200, 'shown by a post');
is(status('DELETE', $shown), 409, 'and so not deleted');

# The memory of the bridge does not grow with an upload
SKIP: {
	skip 'the sanitizers keep memory', 1 if $bridge->sanitizer_text || `ldd '$NexusMedia::bridge_program'` =~ /asan|tsan/;
	my $resident = sub { open(my $f, '<', "/proc/$bridge->{pid}/status") or return 0; my ($kb) = join('', <$f>) =~ /VmHWM:\s+(\d+)/; return $kb };
	my $before = $resident->();
	my $large = announce($bridge, 100_000_000);
	my $socket = begin($large, 0, 100_000_000, '');
	my $block = 'm' x 1_000_000;
	print {$socket} $block for 1 .. 100;
	like(readline($socket), qr/^HTTP\/1.1 204 /, '100 MB');
	cmp_ok($resident->() - $before, '<', 16_000, 'memory stays below 16 MB more');
	unlink("$store/objects/" . substr(key($large), 0, 2) . '/' . key($large));
}

# Real clients
SKIP: {
	my $work = npm_folder() or skip 'npm is not reachable: no tus-js-client, no S3 server', 1;
	my $resumed = sub {
		my $said = `cd '$work' && timeout 60 node resume.js http://127.0.0.1:$bridge->{port}/files @{[ token('ann') ]} 20000000 7000000 2>&1`;
		my ($id, $sha) = $said =~ /^done (\S+) (\S+)$/m;
		my ($from) = $said =~ /^PATCH 204 (\d+) 20000000$/m;
		ok($id, 'tus-js-client comes to its end') or diag($said);
		cmp_ok($from // -1, '>', 0, 'and went on from ' . ($from // 'nowhere'));
		cmp_ok($from // -1, '<=', 7000000, 'where it was cut');
		return ($id, $sha, $said);
	};
	my ($id, $sha) = $resumed->();
	is(sha256_hex(stored($id) // ''), $sha, 'the 20 MB are those that were sent');
	$bridge->stop;
	my ($port, $folder) = (PostgreSQL::Test::Cluster::get_free_port(), $node->basedir . '/s3');
	my $s3 = NexusPublisher::spawn("$folder.log", 'node', "$work/s3.js", $port, $folder);
	soon(sub { open(my $log, '<', "$folder.log") or return 0; return join('', <$log>) =~ /listening/ });
	local @ENV{qw(AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY)} = qw(S3RVER S3RVER);
	$bridge = bridge($node, 's3://media/in', media_s3_endpoint => "http://127.0.0.1:$port");
	$bridge->wait_ready;
	my $s3_object = sub { open(my $f, '<:raw', "$folder/media/in/objects/" . key($_[0]) . '._S3rver_object') or return ''; local $/; return <$f> };
	($id, $sha) = $resumed->();
	is(sha256_hex($s3_object->($id)), $sha, 'in a bucket, too');
	my $small = announce($bridge, 10);
	is(status('PATCH', $small, 'hello', 'Upload-Offset' => 0) . ' ' . offset($small) . ' ' . status('PATCH', $small, 'world', 'Upload-Offset' => 5) . ' ' . $s3_object->($small), '204 5 204 helloworld',
		'pieces smaller than a part');
	my $sums = announce($bridge, 11_000_000);
	my $piece = 'a' x 6_000_000;
	is(status('PATCH', $sums, $piece, 'Upload-Offset' => 0, 'Upload-Checksum' => 'sha1 ' . encode_base64(sha1('b'), '')) . ' ' . offset($sums), '460 0', 'a wrong checksum over several parts');
	is(status('PATCH', $sums, $piece, 'Upload-Offset' => 0, 'Upload-Checksum' => 'sha1 ' . encode_base64(sha1($piece), '')) . ' ' . offset($sums), '204 6000000', 'a right one');
	# killed where a part is there and more
	my $dying_in_s3 = begin($sums, 6_000_000, 5_000_000, 'b' x 4_500_000);
	ok(soon(sub { offset($sums) >= 10_000_000 }), 'the second part is there');
	$bridge->signal('KILL');
	waitpid($bridge->{pid}, 0);
	delete $bridge->{pid};
	$bridge = bridge($node, 's3://media/in', media_s3_endpoint => "http://127.0.0.1:$port");
	$bridge->wait_ready;
	my $at = offset($sums);
	is($at, 2 * (5 << 20), 'whole parts survive');
	is(status('PATCH', $sums, 'b' x (11_000_000 - $at), 'Upload-Offset' => $at) . ' ' . ($s3_object->($sums) eq $piece . 'b' x 5_000_000), '204 1', 'and are not sent again');
	$node->safe_psql('app', "DELETE FROM nexus.jobs WHERE kind = 'media'; DELETE FROM nexus.media_files WHERE id <> (SELECT id FROM nexus.media_files WHERE file_key = '" . ($small =~ s/.*\///r) . "'); UPDATE nexus.media_files SET state = 'uploaded', updated_at = now() - interval '2 minutes'; SELECT nexus.sweep_media()");
	finish($node, sha256_hex('helloworld'), media_type => 'image', mime_type => 'image/png');
	is($bridge->get($small =~ s/files/media/r, @ann, Range => 'bytes=3-6')->{content}, 'lowo', 'a range from the bucket');
	kill TERM => $s3;
	is(status('HEAD', announce($bridge, 10)), 503, 'a store that is away');
}
is($bridge->stop, 0, 'the bridge ends in order');

done_testing();
