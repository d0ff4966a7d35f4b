# Uploaded files are measured by a worker whose probes may crash, hang or be killed: each file ends exactly once, with the
# verdict that is known from how it was made, and neither the worker nor the database suffers.
# NEXUS_MEDIA_FILES: how many files (make media-long: 1000); NEXUS_MEDIA_KILLS: of the worker; NEXUS_CRASH_SEED: which
# random numbers.
use strict;
use warnings;
use JSON::PP;
use List::Util qw(max);
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusPublisher qw(wait_for);
use NexusMedia qw(announce tus bridge);
use NexusMediaWorker qw(make_files seed_media uploaded object);

my $count = $ENV{NEXUS_MEDIA_FILES} // 120;
my $kills = $ENV{NEXUS_MEDIA_KILLS} // 20;
my $seed = $ENV{NEXUS_CRASH_SEED} // int(time);
srand($seed);
note("seed $seed");
my $node = start_node('media_worker', 'max_connections = 60');
deploy($node, 'app');
seed_media($node);
$node->safe_psql('app', q{INSERT INTO nexus.media_limits VALUES ('ann', 100000000, 10000000000, 100000);
	CREATE TABLE ended (file integer, state text);
	CREATE FUNCTION note_end() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO public.ended VALUES (NEW.id, NEW.state); RETURN NULL; END $$;
	CREATE TRIGGER note_end AFTER UPDATE OF state ON nexus.media_files FOR EACH ROW WHEN (NEW.state IN ('ready', 'refused')) EXECUTE FUNCTION note_end()});
my $json = JSON::PP->new->utf8->allow_nonref;
my $folder = $PostgreSQL::Test::Utils::tmp_check . '/media';
my $store = "$folder/store";
mkdir $folder;

sub file_of { my ($id) = @_; return $json->decode($node->safe_psql('app', "SELECT nexus.upload_of(f) FROM nexus.media_files f WHERE id = $id")) }
# What the database knows of each of these goes to its {got}.
sub look_at
{
	my (@at) = @_;
	my %got = map { my $file = $json->decode($_); $file->{id} => $file } split /\n/, $node->safe_psql('app', 'SELECT nexus.upload_of(f) FROM nexus.media_files f');
	$_->{got} = $got{ $_->{id} } for @at;
	return;
}
sub open_files { return $node->safe_psql('app', "SELECT count(*) FROM nexus.media_files WHERE state = 'uploaded'") }
# The delay between attempts is not what is tested here.
sub hasten { $node->safe_psql('app', q{SELECT nexus.reap_leases(); UPDATE nexus.jobs SET run_at = now() WHERE kind = 'media' AND state = 'ready'; NOTIFY nexus_jobs}); return }
sub all_end
{
	my ($seconds) = @_;
	my $end = time + $seconds;
	while (open_files() > 0 && time < $end) { hasten(); sleep 0.5 }
	return open_files();
}

# What is wrong with a verdict; nothing where it is right.
sub wrong
{
	my ($file) = @_;
	my $got = $file->{got};
	if ($file->{refused})
	{
		return if $got->{state} eq 'refused' && $got->{refusal_code} eq $file->{refused} && length $got->{refusal_reason};
		return "$file->{what}: $got->{state} " . ($got->{refusal_code} // '') . ", wanted $file->{refused}";
	}
	return "$file->{kind}: $got->{state}: " . ($got->{refusal_reason} // '') if $got->{state} ne 'ready';
	my ($facts, $wanted) = ($got->{facts}, $file->{facts});
	for my $name (sort keys %$wanted)
	{
		my ($is, $want) = ($facts->{$name} // '', $wanted->{$name});
		next if $is eq $want;
		next if $name eq 'duration' && $is ne '' && abs($is - $want) <= $file->{tolerance};
		next if $name eq 'frame_rate' && $is ne '' && abs($is - $want) <= 0.05 * $want;
		return "$file->{kind}: $name is $is, wanted $want";
	}
	my $seen = $wanted->{width} && !-s object($store, $facts->{thumbnail_key} // 'none');
	return $seen ? "$file->{kind}: no thumbnail" : undef;
}

sub megabytes
{
	my ($pid) = @_;
	open(my $status, '<', "/proc/$pid/status") or return 0;
	my ($peak) = map { /^VmHWM:\s+(\d+) kB/ ? $1 / 1024 : () } <$status>;
	return $peak;
}

# All kinds, good and bad
my $begun = time;
my @files = make_files("$folder/files", $count, $seed);
note(sprintf '%d files of %d kinds made in %.1f s, %d of them broken or lying', scalar @files, scalar keys %{ { map { $_->{kind} => 1 } grep { $_->{facts} } @files } },
	time - $begun, scalar grep { $_->{refused} } @files);
uploaded($node, $store, @files);
my $worker = NexusMediaWorker->start($node, $store, concurrency => 2);
$begun = time;
is(wait_for($node, "SELECT count(*) FROM nexus.media_files WHERE state = 'uploaded'", '0', 60 + 2 * $count), '0', 'all files end');
my $took = time - $begun;
look_at(@files);
my @wrong = grep { defined } map { wrong($_) } @files;
is(scalar @wrong, 0, scalar(@files) . ' files: every verdict is right') or diag(join "\n", @wrong);
is($node->safe_psql('app', "SELECT count(*) FROM (SELECT file FROM ended GROUP BY file HAVING count(*) = 1) s"), scalar @files, 'and written once');
my %says = map { $_->{what} => $_->{got}{refusal_reason} } grep { $_->{what} && $_->{what} ne 'cut off' } @files;
note("$_: $says{$_}") for sort keys %says;
my $worker_peak = megabytes($worker->{pid});
my $probe_peak = max($worker->log_text =~ /, (\d+) KiB/g) / 1024;
note(sprintf '%.0f files a second; peak memory: worker %.0f MiB, largest probe %.0f MiB', @files / $took, $worker_peak, $probe_peak);
cmp_ok($worker_peak, '<', NexusBridge::is_sanitized() ? 1000 : 100, 'the worker stays small');
cmp_ok($probe_peak, '<', 400, 'and so do its probes');
is(scalar(() = $worker->log_text =~ /signal \d+/g), 0, 'no probe crashed');

# From the wire to a post: uploaded to the bridge, measured, shown
my ($photo) = grep { $_->{kind} eq 'jpg' && $_->{facts} } @files;
my $bridge = bridge($node, $store);
ok($bridge->wait_ready, 'a bridge');
my $bytes = do { open(my $in, '<:raw', $photo->{path}) or die "photo: $!"; local $/; <$in> };
$bytes = substr($bytes, 0, -2) . "\xff\xfe\x00\x05own\xff\xd9";
my $upload = announce($bridge, length $bytes, 'wire.jpg', 'Upload-Metadata' => 'filename ' . encode_base64('wire.jpg', ''));
is(tus($bridge, 'PATCH', $upload, $bytes, 'Upload-Offset' => 0)->{status}, 204, 'an upload');
my ($key) = $upload =~ m{/files/([0-9a-f-]+)};
is(wait_for($node, "SELECT state FROM nexus.media_files WHERE file_key = '$key'", 'ready', 30), 'ready', 'is measured');
my $post = $node->safe_psql('app', "INSERT INTO social_posts (user_id, title, caption, content_type) VALUES ('ann', 'one', 'tea', 'post') RETURNING id");
$node->safe_psql('app', "SELECT nexus.attach_media($post, '$key')");
is($node->safe_psql('app', "SELECT concat_ws(' ', status, media_type, mime_type, file_size, dimensions ->> 'width', dimensions ->> 'height') FROM post_media WHERE social_post_id = $post"),
	join(' ', 'ready', 'image', 'image/jpeg', length $bytes, @{ $photo->{facts} }{qw(width height)}), 'its facts are those of the post\'s medium');
my $small = tus($bridge, 'GET', "/media/$key/thumbnail");
is(join(' ', $small->{status}, $small->{headers}{'content-type'}, substr($small->{content}, 0, 3) eq "\xff\xd8\xff"), '200 image/jpeg 1', 'its thumbnail is served');
is($bridge->stop, 0, 'the bridge ends well');

# Two of one content share an object; the second one goes
my ($first) = grep { $_->{kind} eq 'png' && $_->{facts} } @files;
my %again = (%$first, file_name => 'again.png', mime_type => '');
uploaded($node, $store, \%again);
is(wait_for($node, "SELECT state FROM nexus.media_files WHERE id = $again{id}", 'ready', 20), 'ready', 'a second file of the same content');
is(file_of($again{id})->{storage_key}, $first->{key}, 'has the object of the first');
$node->safe_psql('app', "SELECT nexus.sweep_media()");
my @refused = map { object($store, $_->{key}) } grep { $_->{refused} } @files;
sub left { return scalar grep { -e } @refused, object($store, $again{key}) }
for (1 .. 100) { last if left() == 0; sleep 0.1 }
is(left(), 0, 'objects of refused and second files are removed');
is($node->safe_psql('app', 'SELECT count(*) FROM nexus.media_garbage'), '0', 'and nothing waits to be');
ok(-s object($store, $first->{key}), 'what is shown stays');
is($worker->stop, 0, 'the worker ends well');

# Probes that never come to a verdict
sub stand_in
{
	my ($text) = @_;
	open(my $file, '>', "$folder/probe") or die "probe: $!";
	print {$file} "#!/bin/sh\n$text\n";
	close($file);
	chmod 0755, "$folder/probe";
	return;
}
sub one
{
	my ($name) = @_;
	my %file = (%$first, path => "$folder/$name.png", file_name => "$name.png", mime_type => '');
	open(my $out, '>:raw', $file{path}) or die "$name: $!";
	open(my $in, '<:raw', $first->{path}) or die "in: $!";
	local $/;
	print {$out} <$in>, $name;
	close($out);
	uploaded($node, $store, \%file);
	return $file{id};
}
my %ends = (
	crash => [ 'kill -SEGV $$', 'the file makes its decoder fail (signal 11)' ],
	locked => [ 'kill -SYS $$', 'the file makes its decoder fail (signal 31)' ],
	hang => [ 'exec sleep 60', 'measuring the file took too long' ],
	closed => [ 'exec >&-; exec sleep 60', 'measuring the file took too long' ],
	memory => [ 'exit 3', 'measuring the file takes too much memory' ],
	nothing => [ 'exit 0', 'the file makes its probe say what is no verdict' ],
	noise => [ 'yes', 'measuring the file took too long' ],
	lies => [ q{echo '{"mime_type": "image/png", "media_type": "page", "file_size": 1, "sha256": ""}'}, 'the file makes its probe say what is no verdict' ]);
$worker = NexusMediaWorker->start($node, $store, probe => "$folder/probe", probe_timeout => 1);
for my $name (sort keys %ends)
{
	stand_in($ends{$name}[0]);
	my $id = one($name);
	is(wait_for($node, "SELECT concat_ws(': ', refusal_code, refusal_reason) FROM nexus.media_files WHERE id = $id", "media.probe_failed: $ends{$name}[1]", 20),
		"media.probe_failed: $ends{$name}[1]", "a probe that ends with $name");
}
# What is not the file's fault comes back
stand_in('echo no luck >&2; exit 4');
my $later = one('later');
is(wait_for($node, "SELECT state || ': ' || (last_error ->> 'message') FROM nexus.jobs WHERE kind = 'media' AND ref_id = $later", 'ready: the probe ended with 4: no luck?', 20),
	'ready: the probe ended with 4: no luck?', 'a probe that cannot run is no verdict');
stand_in('kill -KILL $$');
hasten();
is(wait_for($node, "SELECT state || ': ' || (last_error ->> 'message') FROM nexus.jobs WHERE kind = 'media' AND ref_id = $later", 'ready: the probe was killed', 20),
	'ready: the probe was killed', 'nor is one that was killed');
# A worker that shall end gives back what takes too long
is($worker->stop, 0, 'the worker ends well');
stand_in('exec sleep 60');
my $asleep = one('asleep');
$worker = NexusMediaWorker->start($node, $store, probe => "$folder/probe", probe_timeout => 100, shutdown_timeout => 0, lease => 30);
my $job = "FROM nexus.jobs WHERE kind = 'media' AND ref_id = $asleep";
is(wait_for($node, "SELECT state $job", 'leased', 20), 'leased', 'a probe takes its time');
sleep 0.3;
is($worker->stop, 0, 'its worker does not');
is($node->safe_psql('app', "SELECT state || ' ' || attempts $job"), 'ready 0', 'and gives the file back');
$worker = NexusMediaWorker->start($node, $store);
is(all_end(60), '0', 'another one measures what was left');
is(file_of($_)->{state}, 'ready', 'well') for $later, $asleep;
is($worker->stop, 0, 'and ends well');

# Killed workers
my $before = $node->safe_psql('app', 'SELECT COALESCE(max(id), 0) FROM nexus.media_files');
my @more = make_files("$folder/more", 3 * $kills, $seed + 1);
uploaded($node, $store, @more);
$worker = NexusMediaWorker->start($node, $store, log_level => 'warn');
my $at_work = 0;
for (1 .. $kills)
{
	sleep(0.05 + rand() * 0.15);
	$at_work += $node->safe_psql('app', "SELECT count(*) FROM nexus.leases") > 0;
	$worker->kill_hard;
	$worker->again;
	# A lease of two seconds would be all that is waited for.
	$node->safe_psql('app', "UPDATE nexus.jobs SET lease_until = clock_timestamp() - interval '1 ms' WHERE kind = 'media' AND state = 'leased'");
	hasten();
}
is(all_end(300), '0', "$kills kills, $at_work of them while files were measured: all files end");
is($node->safe_psql('app', "SELECT count(*) FROM (SELECT file FROM ended WHERE file > $before GROUP BY file HAVING count(*) = 1) s"), scalar @more, 'each exactly once');
look_at(@more);
@wrong = grep { defined } map { wrong($_) } @more;
is(scalar @wrong, 0, 'with the right verdict') or diag(join "\n", @wrong);
is($node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE kind = 'media' AND ref_id IS NOT NULL AND state IN ('ready', 'leased')"), '0', 'no job is left');
is(`pgrep -P 1 -f @{[ NexusPublisher::program('nexus-media-probe') ]}`, '', 'no probe outlives its worker');
is($worker->stop, 0, 'the worker ends well');
$node->stop;
done_testing();
