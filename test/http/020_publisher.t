# The publisher against stand-ins of the platforms: what is due arrives once and as it should, each kind of failure is told
# apart, and what is uncertain is looked up before anything is sent again.
use strict;
use warnings;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusPublisher qw(platforms fault_proxy sink http_json fault faults_done key_file seal seed_posts posts_on wait_for);

my $node = start_node('publisher');
deploy($node, 'app');
my $keys = key_file($node->basedir . '/keys');
my $real = platforms();
my $port = fault_proxy($real);
my $sink_file = $node->basedir . '/posts.jsonl';
my $sink = sink($sink_file, 'sink-secret');
my $url = "http://127.0.0.1:$port";
seed_posts($node, $keys,
	{ id => 1, platform => 'bluesky', account_id => 'did:plc:one', handle => 'one.test', instance_url => $url, refresh => '{"password": "app-password"}' },
	{ id => 2, platform => 'mastodon', account_id => '7', instance_url => "$url/", access => 'masto-token' },
	{ id => 3, platform => 'webhook', account_id => 'plain', instance_url => "$url/hook/plain", access => 'hook-secret' },
	{ id => 4, platform => 'webhook', account_id => 'keys', instance_url => "$url/hook/keys?a=b", access => 'hook-secret', metadata => { webhook => { idempotent => JSON::PP::true, read_back => JSON::PP::true } } },
	{ id => 5, platform => 'webhook', account_id => 'sink', instance_url => "http://127.0.0.1:$sink/posts", access => 'sink-secret', metadata => { webhook => { idempotent => JSON::PP::true, read_back => JSON::PP::true } } },
	{ id => 6, platform => 'webhook', account_id => 'private', instance_url => 'https://[fd00::1]/hook', access => 'x' },
	{ id => 7, platform => 'webhook', account_id => 'wrong', instance_url => "$url/hook/plain", access => 'another secret' },
	{ id => 8, platform => 'webhook', account_id => 'gone', instance_url => "$url/hook/410", access => 'hook-secret' },
	{ id => 9, platform => 'linkedin', account_id => 'l', instance_url => $url, access => 'x' },
	{ id => 10, platform => 'webhook', account_id => '422', instance_url => "$url/hook/422", access => 'hook-secret' },
	{ id => 11, platform => 'webhook', account_id => '302', instance_url => "$url/hook/302", access => 'hook-secret' },
	{ id => 12, platform => 'webhook', account_id => 'large', instance_url => "$url/hook/large", access => 'hook-secret' },
	{ id => 13, platform => 'webhook', account_id => 'shut', instance_url => 'http://127.0.0.1:1/hook', access => 'hook-secret' });

my $next = 0;
# A post that is due now, to one account; gives the id of the platform post.
sub post
{
	my ($account, $text, %more) = @_;
	my $id = ++$next;
	my $tags = $more{hashtags} // '{}';
	my $due = $more{due} // 'nexus.utcnow()';
	my $parent = $more{parent} // 'NULL';
	$text =~ s/'/''/g;
	$node->safe_psql('app', "BEGIN; INSERT INTO social_posts (id, user_id, title, caption, content_type, hashtags) VALUES ($id, 'ann', 't', '$text', 'post', '$tags');"
		. join('', map { "INSERT INTO post_media (social_post_id, media_type, media_url, file_name, file_size, mime_type, alt_text) VALUES ($id, 'image', '$_', 'dot.png', 70, 'image/png', 'a dot');" } @{ $more{media} // [] })
		. "INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at, thread_parent_id, thread_position) SELECT $id, $id, id, platform, 'scheduled', $due, $parent, "
		. ($more{parent} ? 1 : 0) . " FROM social_accounts WHERE id = $account; COMMIT");
	return $id;
}
sub state { my ($id, $wanted, $seconds) = @_; return wait_for($node, "SELECT status FROM platform_posts WHERE id = $id", $wanted, $seconds) }
sub column { my ($id, $column) = @_; return $node->safe_psql('app', "SELECT $column FROM platform_posts WHERE id = $id") }
sub attempts { my ($id) = @_; return $node->safe_psql('app', "SELECT string_agg(outcome, ' ' ORDER BY attempt) FROM nexus.publish_attempts WHERE platform_post_id = $id") }
sub times_on { my ($platform, $text) = @_; return scalar grep { $_ eq $text } @{ posts_on($real)->{$platform} // [] } }

# Uploaded files, as the bridge and the worker of media leave them: one in the store, one that is gone from it.
my $store = PostgreSQL::Test::Utils::tempdir();
my $dot = 'the bytes of a dot';
mkdir "$store/$_" or die "$store/$_: $!" for 'objects', 'objects/aa';
open(my $object, '>', "$store/objects/aa/" . 'a' x 32) or die "object: $!";
print $object $dot;
close $object;
$node->safe_psql('app', join '', map { my ($letter, $key) = @$_;
	"INSERT INTO nexus.media_files (file_key, user_id, file_name, size, received, sha256, storage_key, state, facts) VALUES ('$key', 'ann', 'dot.png', 18, 18, sha256('$dot'), repeat('$letter', 32), 'ready',
	'{\"mime_type\": \"image/png\", \"media_type\": \"image\", \"file_size\": 18, \"width\": 10, \"height\": 10}');" }
	[ a => '00000000-0000-4000-8000-00000000000a' ], [ b => '00000000-0000-4000-8000-00000000000b' ]);

my $publisher = NexusPublisher->start($node, $keys, media_store => $store);

# Each platform
my $sky = post(1, 'Good morning @two.test, https://example.org #bread', hashtags => '{bread,rye}', media => [ "http://127.0.0.1:$real/media.png" ]);
my $toot = post(2, 'Hello from here', media => [ "http://127.0.0.1:$real/media.png" ]);
my $uploaded = post(2, 'an uploaded dot', media => ['/media/00000000-0000-4000-8000-00000000000a']);
my $vanished = post(2, 'a dot that is gone', media => ['/media/00000000-0000-4000-8000-00000000000b']);
my $hook = post(3, 'to the hook');
my $sunk = post(5, 'to the sink');
is(state($sky, 'published'), 'published', 'Bluesky');
is(state($toot, 'published'), 'published', 'Mastodon');
is(state($hook, 'published'), 'published', 'a webhook');
is(state($sunk, 'published'), 'published', 'the sink');
my (undef, $records) = http_json('GET', $real, '/_records');
my $record = $records->[0]{value};
is($record->{text}, "Good morning \@two.test, https://example.org #bread\n\n#rye", 'the text has the hashtags that it lacked');
is_deeply([ map { $_->{features}[0]{'$type'} =~ s/.*#//r } @{ $record->{facets} } ], [qw(mention link tag tag)], 'with facets');
is($record->{facets}[0]{features}[0]{did}, 'did:plc:two', 'a mention is resolved');
is($record->{embed}{images}[0]{alt}, 'a dot', 'and the image');
is(column($sky, 'platform_post_id'), $records->[0]{uri}, 'the id on the platform is kept');
is($node->safe_psql('app', "SELECT remote_key FROM nexus.publish_attempts WHERE platform_post_id = $sky"), $records->[0]{uri} =~ s{.*/}{}r, 'and its key with the attempt');
is($node->safe_psql('app', 'SELECT access_token LIKE $$cn1.k1.%$$ AND refresh_token LIKE $$cn1.k1.%$$ AND token_expiry > nexus.utcnow() AND token_version = 2 FROM social_accounts WHERE id = 1'),
	't', 'the session is kept sealed');
my (undef, $statuses) = http_json('GET', $real, '/_statuses');
is_deeply($statuses->[0]{media}, ['1'], 'a status with its media');
is(state($uploaded, 'published'), 'published', 'an uploaded file is read from the store');
is(state($vanished, 'failed'), 'failed', 'one that is not there');
is(column($vanished, 'error_class'), 'media', 'fails as media');
is(column($toot, 'platform_url'), $statuses->[0]{url}, 'and its address');
is(column($sunk, 'platform_post_id'), 'sink-1', 'the sink names the post');

# Threads, sessions that run out, refreshes ahead of time
my $reply = post(1, 'And one more', parent => $sky);
is(state($reply, 'published'), 'published', 'a reply');
(undef, $records) = http_json('GET', $real, '/_records');
is($records->[1]{value}{reply}{root}{uri}, $records->[0]{uri}, 'in its thread');
http_json('POST', $real, '/_tokens', {});
my $expired = post(1, 'after the session ran out');
is(state($expired, 'published'), 'published', 'a session that ran out is renewed');
is(attempts($expired), 'ok', 'within the attempt');
$node->safe_psql('app', "UPDATE social_accounts SET token_expiry = nexus.utcnow() + interval '1 minute' WHERE id = 1; SELECT nexus.watch_tokens()");
is(wait_for($node, 'SELECT token_version FROM social_accounts WHERE id = 1', '4'), '4', 'and one that will run out before');
is($node->safe_psql('app', "SELECT state FROM nexus.jobs WHERE kind = 'token_refresh'"), 'done', 'by its job');
my (undef, $sessions) = http_json('GET', $real, '/_sessions');
is($sessions->{created}, 1, 'the password was used once');

# What the platform refuses
my $private = post(6, 'inwards');
my $wrong = post(7, 'wrong secret');
my $gone = post(8, 'gone');
my $none = post(9, 'no adapter');
my $invalid = post(10, 'invalid');
my $redirect = post(11, 'redirect');
my $long = post(2, 'beyond the limit of this server');
my $lost_media = post(1, 'no media', media => [ "http://127.0.0.1:$real/none.png" ]);
is(state($private, 'failed'), 'failed', 'an address of a private network');
like(column($private, 'error_message'), qr/private network/, 'is refused');
is(state($invalid, 'failed'), 'failed', '422 is final');
is(column($invalid, "error_class || ' ' || error_code"), 'invalid http_422', 'with its class');
is(state($redirect, 'failed'), 'failed', 'a redirect');
like(column($redirect, 'error_message'), qr/redirects are not followed/, 'is not followed');
is(times_on('hook/plain', 'redirect'), 0, 'not at all');
is(state($none, 'failed'), 'failed', 'a platform without an adapter fails');
is(state($long, 'failed'), 'failed', 'what Mastodon refuses fails');
like(column($long, 'error_message'), qr/limit of 500/, 'in its words');
is(state($lost_media, 'failed'), 'failed', 'media that are gone');
is(column($lost_media, 'error_class'), 'media', 'are so called');
is(wait_for($node, 'SELECT status FROM social_accounts WHERE id = 7', 'expired'), 'expired', 'a wrong secret: the account is to be connected again');
is(state($wrong, 'scheduled'), 'scheduled', 'and its post waits');
is(wait_for($node, 'SELECT status FROM social_accounts WHERE id = 8', 'expired'), 'expired', '410 disables the endpoint');
$node->safe_psql('app', "UPDATE social_accounts SET status = 'active', access_token = '" . seal($keys, 'webhook', 'wrong', 'access_token', 'hook-secret') . "' WHERE id = 7");
is(state($wrong, 'published'), 'published', 'connected again it goes out');

# What does not arrive
my $shut = post(13, 'nobody there');
is(wait_for($node, "SELECT error_class FROM platform_posts WHERE id = $shut", 'transient'), 'transient', 'a refused connection is tried again');
is(attempts($shut), 'not_sent', 'since nothing was sent');
fault($port, match => 'POST /hook/keys', fault => 'limited');
my $limited = post(4, 'too fast');
is(state($limited, 'published'), 'published', '429 is tried again after Retry-After');
is(attempts($limited), 'rejected ok', 'in a second attempt');

# What may have arrived
for my $fault (qw(cut error_after refuse slow))
{
	my @to = ([ 1, 'bluesky', 'POST /xrpc/com.atproto.repo.putRecord' ], [ 2, 'mastodon', 'POST /api/v1/statuses' ], [ 4, 'hook/keys', 'POST /hook/keys' ], [ 3, 'hook/plain', 'POST /hook/plain' ]);
	my %posts;
	for (@to)
	{
		my ($account, $platform, $match) = @$_;
		fault($port, match => $match, fault => $fault, seconds => 4);
		$posts{$platform} = post($account, "$fault on $platform");
	}
	for (@to)
	{
		my ($account, $platform) = @$_;
		my $id = $posts{$platform};
		my $wanted = $account == 3 ? 'unconfirmed' : 'published';
		is(state($id, $wanted), $wanted, "$fault on $platform: $wanted");
		is(times_on($platform, "$fault on $platform"), $account == 3 && $fault eq 'refuse' ? 0 : 1, "$fault on $platform: never twice");
		like(attempts($id), $account == 3 ? qr/^unknown$/ : $fault eq 'refuse' ? qr/^verified_absent ok$/ : qr/^verified_present$/, "$fault on $platform: looked up first");
	}
}
my $large = post(12, 'a large answer');
is(state($large, 'unconfirmed'), 'unconfirmed', 'an answer without end is none');

# No due post waits for a poll.
my $soon = post(5, 'soon', due => "nexus.utcnow() + interval '2 s'");
is(state($soon, 'published'), 'published', 'a post of the future');
my $late = $node->safe_psql('app', "SELECT extract(epoch FROM a.started_at - (pp.scheduled_at AT TIME ZONE 'UTC')) FROM nexus.publish_attempts a JOIN platform_posts pp ON pp.id = a.platform_post_id WHERE pp.id = $soon");
cmp_ok($late, '>=', 0, 'is not early');
cmp_ok($late, '<', 2, 'nor late');

# The database goes away, and comes back.
$node->restart;
my $after = post(5, 'after the restart');
is(state($after, 'published'), 'published', 'the publisher comes back after the database');

# SIGTERM: what is being sent is finished, the rest given back.
fault($port, match => 'POST /hook/keys', fault => 'slow', seconds => 1, count => 4);
my @last = map { post(4, "last $_") } 1 .. 10;
sleep 0.05 while !(grep { /last/ } @{ posts_on($real)->{'hook/keys'} });
is($publisher->stop, 0, 'SIGTERM ends it with status 0');
is($node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE state = 'leased'"), '0', 'it leaves no lease');
is($node->safe_psql('app', 'SELECT count(*) FROM nexus.publish_attempts WHERE ended_at IS NULL'), '0', 'and no open attempt');
$publisher->again;
is(wait_for($node, "SELECT count(*) FROM platform_posts WHERE id IN (" . join(',', @last) . ") AND status = 'published'", '10'), '10', 'the next one does the rest');
is_deeply([ sort grep { /last/ } @{ posts_on($real)->{'hook/keys'} } ], [ sort map { "last $_" } 1 .. 10 ], 'each once');
unlike($publisher->log_text, qr/masto-token|hook-secret|app-password|eyJ/, 'no secret in the log');
$publisher->stop;
$node->stop;
done_testing();
