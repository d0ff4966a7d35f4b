# A real Bluesky PDS (npm: @atproto/pds with @did-plc/server on loopback) and a real Mastodon client (npm: masto, against the
# stand-in). The publisher is killed while it sends; the PDS' own list says what arrived. Skipped where npm is not reachable.
use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy root);
use NexusPublisher qw(platforms fault_proxy http_json fault key_file seed_posts wait_for);

my $work = root() . '/.run/npm/pds';
make_path($work);
copy($_, $work) || die "$_: $!" for glob(root() . '/test/publisher/pds/*');
# better-sqlite3 is compiled: Debian's Node brings its headers along
local $ENV{npm_config_nodedir} = '/usr' if -d '/usr/include/node';
if (system("cd '$work' && timeout 600 npm install --no-audit --no-fund --no-package-lock --prefer-offline >npm.log 2>&1") != 0)
{
	plan skip_all => 'npm is not reachable, or a package does not build: no real PDS';
}

my $posts = $ENV{NEXUS_PDS_POSTS} // 150;
my $kills = $ENV{NEXUS_PDS_KILLS} // 20;
my $node = start_node('publisher_pds');
deploy($node, 'app');
my $folder = $node->basedir . '/pds';
my ($port, $plc) = map { PostgreSQL::Test::Cluster::get_free_port() } 1 .. 2;
NexusPublisher::spawn("$folder.log", 'node', "$work/server.js", $port, $plc, $folder);
my $did = '';
for (1 .. 600)
{
	sleep 0.1;
	open(my $log, '<', "$folder.log") or next;
	while (<$log>) { $did = $1 if /^(did:plc:\w+)$/ }
	last if $did;
}
like($did, qr/^did:plc:/, 'the PDS is there') or BAIL_OUT('no PDS: ' . `tail -n 5 $folder.log`);
my $proxy = fault_proxy($port);
my $stand_in = platforms();
my $keys = key_file($node->basedir . '/keys');
seed_posts($node, $keys,
	{ id => 1, platform => 'bluesky', account_id => $did, handle => 'alice.test', instance_url => "http://127.0.0.1:$proxy", refresh => '{"password": "app-password"}' },
	{ id => 2, platform => 'mastodon', account_id => '7', instance_url => "http://127.0.0.1:$stand_in", access => 'masto-token' });

# All posts that the PDS lists.
sub listed
{
	my (@records, $cursor);
	do
	{
		my (undef, $page) = http_json('GET', $port, "/xrpc/com.atproto.repo.listRecords?repo=$did&collection=app.bsky.feed.post&limit=100" . ($cursor ? "&cursor=$cursor" : ''));
		push @records, @{ $page->{records} };
		$cursor = $page->{cursor};
	} while ($cursor);
	return @records;
}

# One with all that a post can have
my $image = "http://127.0.0.1:$stand_in/media.png";
$node->safe_psql('app', qq{BEGIN;
	INSERT INTO social_posts (id, user_id, title, caption, content_type, hashtags) VALUES (1000, 'ann', 't', 'Brød til \@alice.test, see https://example.org/brød', 'post', '{bread}'), (1001, 'ann', 't', 'second of the thread', 'post', NULL), (1002, 'ann', 't', 'for masto', 'post', NULL);
	INSERT INTO post_media (social_post_id, media_type, media_url, file_name, file_size, mime_type, alt_text) VALUES (1000, 'image', '$image', 'dot.png', 70, 'image/png', 'a dot');
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) VALUES (1000, 1000, 1, 'bluesky', 'scheduled', nexus.utcnow()), (1002, 1002, 2, 'mastodon', 'scheduled', nexus.utcnow());
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, thread_parent_id, thread_position) VALUES (1001, 1001, 1, 'bluesky', 'scheduled', nexus.utcnow(), 1000, 1);
	COMMIT});
my %settings = (lease => 3, timeout => 10, verify_after => 0.5, log_level => 'info');
my $worker = NexusPublisher->start($node, $keys, %settings);
is(wait_for($node, "SELECT count(*) FROM platform_posts WHERE status = 'published'", '3', 60), '3', 'a post with everything, a reply and a status')
  or diag($worker->log_text);
my @listed = listed();
my ($full) = grep { $_->{value}{text} =~ m{^Br\x{f8}d til \@alice\.test, see https://example\.org/br\x{f8}d\n\n#bread$} } @listed;
my ($second) = grep { $_->{value}{text} eq 'second of the thread' } @listed;
is(scalar @{ $full->{value}{facets} // [] }, 3, 'mention, link and tag');
is($full->{value}{facets}[0]{features}[0]{did}, $did, 'the mention is resolved by the PDS');
is($full->{value}{embed}{images}[0]{image}{mimeType}, 'image/png', 'the blob is in the embed');
is($second->{value}{reply}{parent}{cid}, $full->{cid}, 'the reply names its parent by its hash');
my $client = decode_json(`cd '$work' && node masto.mjs http://127.0.0.1:$stand_in masto-token` || '{}');
is_deeply([ sort @{ $client->{texts} // [] } ], [ '<p>by masto</p>', '<p>for masto</p>' ], 'a real client reads the status from the stand-in');
ok($client->{same}, 'and its key makes no second one');

# Killed while it sends, with a network that cuts
fault($proxy, match => 'POST /xrpc/com.atproto.repo.putRecord', fault => 'cut', rate => 0.05, count => 1e9);
fault($proxy, match => 'POST /xrpc/com.atproto.repo.putRecord', fault => 'error_after', rate => 0.05, count => 1e9);
$node->safe_psql('app', qq{
	INSERT INTO social_posts (id, user_id, title, caption, content_type) SELECT i, 'ann', 't', 'text ' || i, 'post' FROM generate_series(1, $posts) i;
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) SELECT i, i, 1, 'bluesky', 'scheduled', nexus.utcnow() FROM generate_series(1, $posts) i});
for (1 .. $kills)
{
	sleep(0.2 + rand() * 0.8);
	$worker->kill_hard;
	$worker->again;
}
http_json('DELETE', $proxy, '/_fault');
is(wait_for($node, "SELECT count(*) FROM platform_posts WHERE status = 'published'", $posts + 3, 120 + $posts), $posts + 3, "$kills kills: all $posts are published");
my %times;
$times{ $_->{value}{text} }++ for listed();
note("$kills kills, $posts posts: the PDS lists " . scalar(keys %times) . " texts, " . scalar(grep { $_ > 1 } values %times) . ' of them more than once');
is(scalar(grep { !$times{"text $_"} } 1 .. $posts), 0, 'none is lost');
is(scalar(grep { ($times{"text $_"} // 0) > 1 } 1 .. $posts), 0, 'none is there twice');
is($node->safe_psql('app', "SELECT count(*) FROM platform_posts WHERE status = 'published' AND platform = 'bluesky' AND platform_post_id LIKE 'at://$did/%'"), $posts + 2, 'each knows its address');
is($worker->stop, 0, 'it ends well');
$node->stop;
done_testing();
