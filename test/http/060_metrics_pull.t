# Counters of published posts: the publisher asks the platforms' stand-ins, many posts with one request where that works, and
# takes what a webhook's receiver pushes if it is signed; what is gone is asked for no more, failures are told apart.
use strict;
use warnings;
use Digest::SHA qw(hmac_sha256_hex);
use HTTP::Tiny;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);
use NexusTest qw(start_node deploy);
use NexusPublisher qw(platforms fault_proxy sink http_json fault faults_done key_file seed_posts wait_for);

my $node = start_node('metrics_pull');
deploy($node, 'app');
my $keys = key_file($node->basedir . '/keys');
my $real = platforms();
my $port = fault_proxy($real);
my $hooks = PostgreSQL::Test::Cluster::get_free_port();
my $push = "http://127.0.0.1:$hooks/hooks/metrics";
my $sink = sink($node->basedir . '/posts.jsonl', 'sink-secret', '--metrics-url', "$push/3");
seed_posts($node, $keys,
	{ id => 1, platform => 'bluesky', account_id => 'did:plc:one', handle => 'one.test', instance_url => "http://127.0.0.1:$port", refresh => '{"password": "app-password"}' },
	{ id => 2, platform => 'mastodon', account_id => '7', instance_url => "http://127.0.0.1:$port", access => 'masto-token' },
	{ id => 3, platform => 'webhook', account_id => 'sink', instance_url => "http://127.0.0.1:$sink/posts", access => 'sink-secret' });
# Posts 1 to 30 go to Bluesky, 31 and 32 to Mastodon, 33 to the sink, each with content of its own; 34 has none.
$node->safe_psql('app', q{BEGIN;
	INSERT INTO content (id, user_id, title, platform, content_type) SELECT i, 'ann', 'c', a.platform, 'text' FROM generate_series(1, 33) i JOIN social_accounts a ON a.id = CASE WHEN i <= 30 THEN 1 WHEN i <= 32 THEN 2 ELSE 3 END;
	INSERT INTO social_posts (id, user_id, title, caption, content_type, content_id) SELECT i, 'ann', 't', 'text ' || i, 'post', CASE WHEN i <= 33 THEN i END FROM generate_series(1, 34) i;
	INSERT INTO platform_posts (id, social_post_id, account_id, platform, status, scheduled_at) SELECT i, i, a.id, a.platform, 'scheduled', nexus.utcnow()
	FROM generate_series(1, 34) i JOIN social_accounts a ON a.id = CASE WHEN i <= 30 OR i = 34 THEN 1 WHEN i <= 32 THEN 2 ELSE 3 END;
	COMMIT});
my $publisher = NexusPublisher->start($node, $keys, hook_port => $hooks, timeout => 3);
is(wait_for($node, "SELECT count(*) FROM platform_posts WHERE status = 'published'", '34'), '34', 'all are published');

sub remote { my ($id) = @_; return $node->safe_psql('app', "SELECT platform_post_id FROM platform_posts WHERE id = $id") }
# All posts are due; gives what the platforms were asked.
sub turn
{
	my ($where) = @_;
	my (undef, $before) = http_json('GET', $real, '/_counted');
	$node->safe_psql('app', 'UPDATE nexus.measured_posts SET next_at = now() WHERE next_at IS NOT NULL AND ' . ($where // 'true') . '; SELECT nexus.sync_metric_pulls()');
	wait_for($node, q{SELECT count(*) FROM nexus.jobs WHERE kind = 'metrics_pull' AND (state = 'leased' OR state = 'ready' AND parked IS NULL AND run_at <= now())}, '0');
	my (undef, $after) = http_json('GET', $real, '/_counted');
	return @$after[ @$before .. $#$after ];
}
sub latest { my ($content) = @_; return $node->safe_psql('app', "SELECT string_agg(concat_ws('/', platform, views, likes, comments, shares), ' ') FROM nexus.metrics_latest($content)") }
sub last_error { my ($id) = @_; return $node->safe_psql('app', "SELECT last_error FROM nexus.measured_posts WHERE platform_post_id = $id") }

# Asked in as few requests as there can be
my %uri = map { $_ => remote($_) } 1 .. 32;
http_json('POST', $real, '/_counters', { $uri{1} => { likes => 10, comments => 2, shares => 3 }, $uri{30} => { likes => 1 }, $uri{31} => { likes => 4, comments => 1, shares => 2 } });
my @asked = turn();
is(join(' ', sort { $b <=> $a } map { scalar @$_ } @asked), '25 5 1 1', '30 posts of Bluesky in two requests, two of Mastodon in two');
is(latest(1), 'bluesky/10/2/4', 'Bluesky: quotes are shares too');
is(latest(2), 'bluesky/0/0/0', 'Bluesky: nothing is 0');
is(latest(31), 'mastodon/4/1/2', 'Mastodon');
is($node->safe_psql('app', "SELECT string_agg(DISTINCT source || (platform_post_row_id = content_id), ' ') FROM content_metrics WHERE platform <> 'webhook'"), 'apitrue', 'as samples of the posts');
is($node->safe_psql('app', 'SELECT count(*) FROM content WHERE last_measured_at IS NOT NULL AND id <= 32'), '32', 'content knows when it was measured');
is($node->safe_psql('app', "SELECT string_agg(id::text, ' ' ORDER BY id) FROM social_accounts WHERE last_measured_at > nexus.utcnow() - interval '1 minute' AND id < 3"), '1 2', 'and so do the accounts');
like(last_error(34), qr/belongs to no content/, 'a post without content is left out, and says why');
is(scalar(grep { grep { $_ eq remote(34) } @$_ } @asked), 0, 'it is not asked for');
is($node->safe_psql('app', "SELECT bool_and(next_at - measured_at BETWEEN interval '4 minutes' AND interval '6 minutes') FROM nexus.measured_posts WHERE platform_post_id <= 32"), 't', 'a young post has its next turn in five minutes');

# Gone from the platform, or not yet in the AppView
http_json('POST', $real, '/_counters', { $uri{1} => { likes => 12, comments => 2, shares => 3 }, $uri{2} => undef, $uri{3} => 'unseen', $uri{32} => undef });
turn();
is($node->safe_psql('app', "SELECT string_agg(platform_post_id::text, ' ' ORDER BY platform_post_id) FROM nexus.measured_posts WHERE ended = 'gone' AND next_at IS NULL"), '2 32', 'what is gone is known as gone');
is($node->safe_psql('app', "SELECT string_agg(entity_id::text, ' ' ORDER BY entity_id) FROM notifications WHERE type = 'post_gone'"), '2 32', 'and its owner is told');
is(last_error(3), 'the platform said nothing of it', 'what the AppView does not know yet is not gone');
is(latest(1), 'bluesky/12/2/4', 'the others are counted');
@asked = turn();
is(scalar(grep { my $ids = $_; grep { $_ eq $uri{2} || $_ eq $uri{32} } @$ids } @asked), 0, 'what is gone is asked for no more');
is($node->safe_psql('app', "SELECT count(*), min(status) FROM platform_posts WHERE id IN (2, 32) AND metadata ? 'remote_deleted_at'"), '2|published', 'it was published all the same');

# Failures
fault($port, match => 'GET /api/v1/statuses', fault => 'limited');
@asked = turn('account_id = 2');
is(scalar @asked, 0, '429: not asked');
is($node->safe_psql('app', "SELECT state, attempts, last_error ->> 'class', run_at > now() FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 2 ORDER BY id DESC LIMIT 1"), 'ready|0|rate_limited|t', '429: again after Retry-After, which does not count');
is(wait_for($node, "SELECT last_error IS NULL AND run_at > now() + interval '1 minute' FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 2", 't', 10), 't', '429: and then it is');
for my $fault (qw(refuse error_after))
{
	fault($port, match => 'GET /xrpc/app.bsky.feed.getPosts', fault => $fault);
	turn('account_id = 1');
	is($node->safe_psql('app', "SELECT state, attempts, last_error ->> 'class' FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 1 ORDER BY id DESC LIMIT 1"), 'ready|1|transient', "$fault: tried again");
	$node->safe_psql('app', "UPDATE nexus.jobs SET run_at = now() WHERE kind = 'metrics_pull' AND state = 'ready'; NOTIFY nexus_jobs");
	is(wait_for($node, "SELECT attempts, last_error IS NULL FROM nexus.jobs WHERE kind = 'metrics_pull' AND account_id = 1", '0|t'), '0|t', "$fault: with success");
}
http_json('POST', $real, '/_tokens', {});
turn('platform_post_id = 1');
is(last_error(1), '', 'a session that ran out is renewed');
$node->safe_psql('app', "UPDATE platform_posts SET platform_post_id = 'no-uri' WHERE id = 5");
http_json('POST', $real, '/_counters', { $uri{4} => { likes => 44 } });
turn('platform_post_id IN (4, 5)');
is(latest(4), 'bluesky/44/0/1', 'an id that the platform does not understand spoils no others');
is(last_error(5), 'the platform said nothing of it', 'and says so itself');
$node->safe_psql('app', q{UPDATE social_accounts SET access_token = NULL WHERE id = 2});
turn('account_id = 2');
is($node->safe_psql('app', "SELECT a.status, j.state, j.parked FROM social_accounts a JOIN nexus.jobs j ON j.account_id = a.id AND j.kind = 'metrics_pull' WHERE a.id = 2 AND j.state = 'ready'"), 'expired|ready|account expired', 'a token that is refused: the account expires, its job is parked with the reason');

# A worker that is killed: another goes on after its lease, and counts once
my $samples = $node->safe_psql('app', 'SELECT count(*) FROM content_metrics WHERE content_id = 1');
fault($port, match => 'GET /xrpc/app.bsky.feed.getPosts', fault => 'slow', seconds => 2);
$node->safe_psql('app', 'UPDATE nexus.measured_posts SET next_at = now() WHERE platform_post_id = 1; SELECT nexus.sync_metric_pulls()');
is(wait_for($node, "SELECT count(*) FROM nexus.jobs WHERE kind = 'metrics_pull' AND state = 'leased'", '1'), '1', 'killed: while it asks');
$publisher->kill_hard;
$publisher->again;
is(wait_for($node, 'SELECT count(*) FROM content_metrics WHERE content_id = 1', $samples + 1), $samples + 1, 'killed: the next one asks again');
is($node->safe_psql('app', "SELECT count(*) FROM nexus.jobs WHERE kind = 'metrics_pull' AND state = 'leased'"), '0', 'killed: and no lease is left');

# Pushed by the receiver
is(wait_for($node, 'SELECT views FROM content_metrics WHERE content_id = 33 ORDER BY captured_at DESC LIMIT 1', '0', 10), '0', 'the sink tells what it counts');
my $post = remote(33);
http_json('GET', $sink, "/posts/$post") for 1 .. 3;
http_json('POST', $sink, "/posts/$post/likes", {});
is(wait_for($node, 'SELECT views, likes FROM content_metrics WHERE content_id = 33 ORDER BY captured_at DESC LIMIT 1', '3|1', 10), '3|1', 'and what has changed');
my $http = HTTP::Tiny->new;
sub pushed
{
	my ($body, %with) = @_;
	$body = encode_json($body) if ref $body;
	my $at = $with{at} // int(time);
	my $signature = $with{signature} // "t=$at,v1=" . hmac_sha256_hex("$at.$body", $with{secret} // 'sink-secret');
	my $answer = $http->post("$push/" . ($with{account} // 3), { content => $with{sent} // $body, headers => { 'X-Signature' => $signature } });
	return ($answer->{status}, eval { decode_json($answer->{content}) } // {});
}
my $body = { posts => [ { id => $post, captured_at => '2199-01-01T00:00:00Z', views => 1 }, { id => $post, captured_at => $node->safe_psql('app', q{SELECT to_char(nexus.utcnow(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')}), views => 9, likes => 2 } ] };
my ($status, $answer) = pushed($body);
is("$status $answer->{recorded} $answer->{errors}[0]{message}", '200 1 captured_at lies in the future', 'signed: taken, and what is wrong with a part is told');
is($node->safe_psql('app', 'SELECT views, source FROM content_metrics WHERE content_id = 33 ORDER BY captured_at DESC LIMIT 1'), '9|webhook', 'signed: stored');
my $rows = $node->safe_psql('app', 'SELECT count(*) FROM content_metrics');
($status, $answer) = pushed($body);
is("$status $answer->{recorded} $answer->{unchanged}", '200 0 1', 'replayed: changes nothing');
for my $case ([ 'wrong secret', secret => 'x' ], [ 'old', at => int(time) - 400 ], [ 'of the future', at => int(time) + 400 ], [ 'none', signature => '' ], [ 'no signature', signature => 't=1' ],
	[ 'another body', sent => '{"posts": []}' ], [ 'not a webhook', account => 1 ], [ 'nobody', account => 999 ])
{
	my ($name, %with) = @$case;
	($status) = pushed($body, %with);
	is($status, 401, "$name: 401");
}
is((pushed('[]'))[0], 400, 'no object: 400');
is((pushed('{"posts": 7}'))[0], 400, 'no posts: 400');
is((pushed('{'))[0], 400, 'no JSON: 400');
is($node->safe_psql('app', 'SELECT count(*) FROM content_metrics'), $rows, 'and nothing is written');
unlike($publisher->log_text, qr/masto-token|sink-secret|app-password|eyJ/, 'no secret in the log');
is($publisher->stop, 0, 'it ends well');
$node->stop;
done_testing();
