#include <gtest/gtest.h>

#include "bridge/publisher/address_guard.hpp"
#include "bridge/publisher/bluesky.hpp"
#include "bridge/publisher/mastodon.hpp"
#include "bridge/publisher/publication.hpp"
#include "bridge/publisher/seal.hpp"
#include "bridge/publisher/webhook.hpp"

namespace nexus::publisher {
namespace {

constexpr const char *kKeys =
    "new AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n# an old one\nold "
    "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n";

TEST(PublisherSeal, OpensWhatItSealed) {
  const Sealer sealer(kKeys);
  const std::string context = Sealer::token_context("bluesky", "did:plc:1", "access_token");
  const std::string sealed = sealer.seal("secret", context);
  EXPECT_EQ(sealed.substr(0, 8), "cn1.new.");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_EQ(sealer.open(sealed, context), "secret");
  EXPECT_NE(sealer.seal("secret", context), sealed);
  EXPECT_EQ(sealer.open(sealer.seal("", context), context), "");
}

TEST(PublisherSeal, RefusesWhatIsNotItsOwn) {
  const Sealer sealer(kKeys);
  const std::string context = Sealer::token_context("bluesky", "did:plc:1", "access_token");
  const std::string sealed = sealer.seal("secret", context);
  EXPECT_THROW(sealer.open(sealed, Sealer::token_context("bluesky", "did:plc:2", "access_token")), SealError);
  EXPECT_THROW(sealer.open(sealed, Sealer::token_context("bluesky", "did:plc:1", "refresh_token")), SealError);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string altered = sealed;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_THROW(sealer.open(altered, context), SealError) << i;
  }
  std::string renamed = sealed;
  renamed.replace(4, 3, "old");
  EXPECT_THROW(sealer.open(renamed, context), SealError);
  for (const char *text : {"", "cn1.", "cn1.new", "cn1.new.", "cn1.new.AAAA", "secret"}) {
    EXPECT_THROW(sealer.open(text, context), SealError) << text;
  }
}

TEST(PublisherSeal, OldKeysOpenAndBadKeyFilesAreRefused) {
  const Sealer old("old ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=");
  EXPECT_EQ(Sealer(kKeys).open(old.seal("x", "c"), "c"), "x");
  for (const char *text : {"", "# none\n", "k AAAA", "k", "k! AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}) {
    EXPECT_THROW(Sealer{text}, SealError) << text;
  }
}

TEST(PublisherUrl, TakesAddressesApart) {
  const auto url = parse_url("https://Example.org/hook?x=1");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "example.org");
  EXPECT_EQ(url->port, "443");
  EXPECT_EQ(url->target, "/hook?x=1");
  EXPECT_EQ(url->authority(), "example.org");
  EXPECT_EQ(parse_url("http://a.b:8080?q")->target, "/?q");
  EXPECT_EQ(parse_url("http://a.b:8080")->authority(), "a.b:8080");
  EXPECT_EQ(parse_url("https://[::1]:8443/")->authority(), "[::1]:8443");
}

TEST(PublisherUrl, RefusesTheRest) {
  for (const char *text :
       {"", "ftp://a.b/", "//a.b/", "https://", "https:///x", "https://user@a.b/", "https://a.b@c.d/", "https://a.b:0/",
        "https://a.b:70000/", "https://a.b:/x y", "https://a.b/\r\nHost: c", "https://a b/", "https://a.b#c",
        "https://[::1", "https://[1.2.3.4]/", "https://a.b:8x/", "https://a.b\\@c.d/", "https://\xc3\xa4.de/"}) {
    EXPECT_FALSE(parse_url(text)) << text;
  }
}

TEST(PublisherAddressGuard, KnowsPublicAddresses) {
  for (const char *text : {"1.1.1.1", "172.15.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "2606:4700::1111"}) {
    EXPECT_TRUE(AddressGuard::is_public(*parse_address(text))) << text;
  }
  for (const char *text : {"0.0.0.0",
                           "10.1.2.3",
                           "100.64.0.1",
                           "127.0.0.1",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.8",
                           "192.168.1.1",
                           "198.18.0.1",
                           "224.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fd00::1",
                           "ff02::1",
                           "::ffff:10.0.0.1",
                           "64:ff9b::a00:1",
                           "2002:a00:1::",
                           "2001::1",
                           "2001:db8::1"}) {
    EXPECT_FALSE(AddressGuard::is_public(*parse_address(text))) << text;
  }
}

TEST(PublisherAddressGuard, AllowsWhatTheOperatorSays) {
  const AddressGuard strict;
  EXPECT_TRUE(strict.check(*parse_url("https://127.0.0.1/")).refused);
  EXPECT_TRUE(strict.check(*parse_url("https://2130706433/")).refused);  // a number is an address, too
  EXPECT_TRUE(strict.check(*parse_url("http://1.1.1.1/")).refused);      // no plain HTTP
  EXPECT_EQ(strict.check(*parse_url("https://1.1.1.1/")).address, "1.1.1.1");
  const AddressGuard local({"127.0.0.0/8", "fd00::/8"});
  EXPECT_EQ(local.check(*parse_url("http://127.0.0.1:1/")).address, "127.0.0.1");
  EXPECT_EQ(local.check(*parse_url("https://[fd12::1]/")).address, "fd12::1");
  EXPECT_TRUE(local.check(*parse_url("https://10.0.0.1/")).refused);
  EXPECT_TRUE(AddressGuard({"127.0.0.1"}).check(*parse_url("http://127.0.0.2/")).refused);
  for (const char *text : {"", "localhost", "127.0.0.0/33", "127.0.0.0/", "::1/129", "127.0.0.0/x"}) {
    EXPECT_THROW(AddressGuard({text}), std::invalid_argument) << text;
  }
}

TEST(PublisherWebhook, SignsAndChecks) {
  // HMAC-SHA256 of "1700000000.{}" with the key "secret", as Python's hmac module gives it
  const std::string header = webhook_signature("secret", 1700000000, "{}");
  EXPECT_EQ(header, "t=1700000000,v1=b8569b78799ff9e3cbff0fc2d63a33a2b57f3282abd07c37ae5e8e7d79a5f163");
  EXPECT_TRUE(webhook_signature_fits("secret", header, "{}", 1700000100, 300));
  EXPECT_FALSE(webhook_signature_fits("secret", header, "{} ", 1700000100, 300));
  EXPECT_FALSE(webhook_signature_fits("other", header, "{}", 1700000100, 300));
  EXPECT_FALSE(webhook_signature_fits("secret", header, "{}", 1700000301, 300));
  EXPECT_FALSE(webhook_signature_fits("secret", header, "{}", 1699999699, 300));
  for (const char *text : {"", "t=", "t=1700000000", "t=1700000000,v1=", "v1=0,t=1700000000", "t=x,v1=y"}) {
    EXPECT_FALSE(webhook_signature_fits("secret", text, "{}", 1700000000, 300)) << text;
  }
}

TEST(PublisherBluesky, KeysAreThoseOfTheTime) {
  const std::string due = "2026-01-31T09:00:00.000000Z";
  const std::string key = bluesky_record_key(due, "81ada9a3-1981-45c1-9237-77361ef74b41");
  EXPECT_EQ(key.size(), 13u);
  EXPECT_EQ(key, bluesky_record_key(due, "81ada9a3-1981-45c1-9237-77361ef74b41"));
  EXPECT_NE(key, bluesky_record_key(due, "81ada9a3-1981-45c1-9237-77361ef74b42"));
  EXPECT_LT(key, bluesky_record_key("2026-01-31T09:00:01.000000Z", "81ada9a3-1981-45c1-9237-77361ef74b41"));
  EXPECT_EQ(key.find_first_not_of("234567abcdefghijklmnopqrstuvwxyz"), std::string::npos);
  EXPECT_EQ(key.substr(0, 2), "3m");  // of all keys of early 2026
}

TEST(PublisherBluesky, ReadsTheEndOfATokensLife) {
  EXPECT_EQ(jwt_expiry("e30.eyJleHAiOjE3MDAwMDAwMDB9.x"), 1700000000.0);
  for (const char *text : {"", "a.b", "e30.e30.x", "e30.!!.x"}) EXPECT_FALSE(jwt_expiry(text)) << text;
}

TEST(PublisherMastodon, ReadsTheTextOfHtml) {
  EXPECT_EQ(plain_text("<p>a &lt;b&gt; &amp;amp; c<br />d</p><p>e &#39;f&#39;</p>"), "a <b> &amp; c\nd\n\ne 'f'");
  EXPECT_EQ(plain_text("<p><a href=\"x\"><span class=\"invisible\">https://</span>x.org</a> &nbsp"),
            "https://x.org &nbsp");
  EXPECT_EQ(plain_text(""), "");
}

TEST(PublisherFailures, GoByWhatHappened) {
  const auto of = [](int status, Headers headers = {}, std::string body = "") {
    Exchange exchange;
    exchange.state = Exchange::State::kAnswered;
    exchange.status = status;
    exchange.headers = std::move(headers);
    exchange.body = std::move(body);
    return failed(exchange);
  };
  EXPECT_EQ(of(400).failure.type, "invalid");
  EXPECT_EQ(of(302).failure.type, "invalid");
  EXPECT_EQ(of(401).failure.type, "auth");
  EXPECT_EQ(of(422, {}, R"({"error": "too long"})").failure.message, "HTTP 422: too long");
  EXPECT_EQ(of(429, {{"retry-after", "7"}}).failure.retry_after, 7.0);
  EXPECT_FALSE(of(429).failure.retry_after);
  for (const int status : {408, 500, 502, 503, 504}) EXPECT_EQ(of(status).outcome, Sent::Outcome::kUnknown) << status;
  Exchange silent;
  silent.state = Exchange::State::kCut;
  EXPECT_EQ(failed(silent).outcome, Sent::Outcome::kUnknown);
  EXPECT_EQ(failed_before(silent).outcome, Sent::Outcome::kNotSent);
  EXPECT_EQ(failed_before(silent).failure.type, "transient");
  silent.state = Exchange::State::kRefused;
  EXPECT_EQ(failed(silent).failure.code, "address_refused");
}

TEST(PublisherFailures, WaitsAsLongAsItIsTold) {
  Exchange exchange;
  const double now = 1700000000;
  exchange.headers = {{"Retry-After", "Tue, 14 Nov 2023 22:13:30 GMT"}};
  EXPECT_EQ(retry_after(exchange, now), 10.0);
  exchange.headers = {{"x-ratelimit-reset", "2023-11-14T22:13:25.000000Z"}};
  EXPECT_EQ(retry_after(exchange, now), 5.0);
  exchange.headers = {{"RateLimit-Reset", "1700000003"}};
  EXPECT_EQ(retry_after(exchange, now), 3.0);
  exchange.headers = {{"Retry-After", "-5"}};
  EXPECT_EQ(retry_after(exchange, now), 0.0);
  exchange.headers = {{"Retry-After", "1e300"}};
  EXPECT_EQ(retry_after(exchange, now), 86400.0);
  exchange.headers = {{"Retry-After", "soon"}};
  EXPECT_FALSE(retry_after(exchange, now));
  EXPECT_EQ(parse_time("2023-11-15T00:13:20.5+02:00"), 1700000000.5);
  EXPECT_FALSE(parse_time("2023-11-15"));
}

TEST(PublisherMemory, IsBounded) {
  Memory memory;
  Sent sent;
  for (int i = 0; i < 10001; ++i) {
    sent.remote_id = std::to_string(i);
    memory.remember(i, 1, sent);
  }
  EXPECT_FALSE(memory.recall(0, 1));
  EXPECT_EQ(memory.recall(10000, 1)->remote_id, "10000");
  EXPECT_FALSE(memory.recall(10000, 2));
  memory.forget(10000, 1);
  EXPECT_FALSE(memory.recall(10000, 1));
}

}  // namespace
}  // namespace nexus::publisher
