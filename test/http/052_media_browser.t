# A page in Chromium uploads with tus-js-client, across origins, leaves off half way and goes on. Skipped where Chromium
# (Debian's package chromium) is not installed or npm is not reachable.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use Test::More;
use NexusTest qw(start_node);
use NexusMedia qw(seed_users token npm_folder bridge);

my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
plan skip_all => 'chromium is not installed (apt-get install chromium): no browser' if !$chromium;
my $work = npm_folder() or plan skip_all => 'npm is not reachable: no tus-js-client';

my $node = start_node('media_browser');
seed_users($node);
my $bridge = bridge($node, $node->basedir . '/media');
ok($bridge->wait_ready, 'ready');
my $size = 6_000_000;
my $said = `cd '$work' && timeout 120 node browser.js '$chromium' http://127.0.0.1:$bridge->{port}/files @{[ token('ann') ]} $size 2>'$work/browser.log'`;
my ($key, $from) = $said =~ /^done (\S+) resumed at (\d+)$/m;
ok($key, 'the page comes to its end') or diag($said, `tail -n 20 '$work/browser.log'`);
cmp_ok($from // 0, '>=', $size / 2, 'it went on in the middle');
my ($state, $name, $object) = split /\|/, $node->safe_psql('app', "SELECT state, file_name, storage_key FROM nexus.media_files WHERE file_key = '$key'");
is("$state $name", 'uploaded from a browser.bin', 'the file is there');
open(my $file, '<:raw', $node->basedir . '/media/objects/' . substr($object, 0, 2) . "/$object") || die $!;
my $stored = do { local $/; <$file> };
is(sha256_hex($stored), sha256_hex(join '', map { chr(($_ * 31 + ($_ >> 8)) & 255) } 0 .. $size - 1), 'byte for byte');
is($bridge->stop, 0, 'the bridge ends in order');
done_testing();
