#include "core/text/entities.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>
#include <string>

#include "core/error.hpp"
#include "core/text/normalize.hpp"
#include "core/text/stats.hpp"

using nexus::text::Dialect;
using nexus::text::entities;
using nexus::text::Entity;

namespace {

/// "kind value" of each, separated by " | ".
std::string found(std::string_view text, Dialect dialect = Dialect::x) {
  std::string result;
  for (const Entity &e : entities(text, dialect))
    result += (result.empty() ? "" : " | ") + std::string(name(e.kind)) + " " + e.value;
  return result;
}

TEST(Entities, PositionsInAllUnits) {
  auto all = entities("👍 é #Café @Bob", Dialect::x);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].value, "Café");
  EXPECT_EQ(all[0].canonical, "café");
  EXPECT_EQ(all[0].start.codepoint, 4);
  EXPECT_EQ(all[0].start.utf16, 5);
  EXPECT_EQ(all[0].start.byte, 8);
  EXPECT_EQ(all[0].end.codepoint, 9);
  EXPECT_EQ(all[0].end.utf16, 10);
  EXPECT_EQ(all[0].end.byte, 14);
  EXPECT_EQ(all[1].canonical, "bob");
  EXPECT_EQ(all[1].end.byte, 19);
}

TEST(Entities, XHashtags) {
  EXPECT_EQ(found("#one, #2two #3 #_ #été"), "hashtag one | hashtag 2two | hashtag été");
  EXPECT_EQ(found("＃全角 #日本語。"), "hashtag 全角 | hashtag 日本語");
  EXPECT_EQ(found("a#b &#c #a#b ##d"), "hashtag d");
  EXPECT_EQ(found("#\u1CA1\u10E1 #\u1C80 #\uAB70"),
            "hashtag \u1CA1\u10E1 | hashtag \u1C80 | hashtag \uAB70");  // later cases
  EXPECT_EQ(found("✌\uFE0F#v #\uFE0F\u20E3 #a://b"), "hashtag v");
}

TEST(Entities, XMentionsAndLists) {
  EXPECT_EQ(found("@a @b/list-1 ＠c a@b @d@e"), "mention a | list b/list-1 | mention c");
  EXPECT_EQ(found("RT@a xRT@b rt:@c"), "mention a | mention c");
  EXPECT_EQ(found("@abcdefghijklmnopqrstuvwxyz"), "mention abcdefghijklmnopqrst");
  EXPECT_EQ(found("@aé @a:// @a/1"), "mention a");
}

TEST(Entities, XCashtags) {
  EXPECT_EQ(found("$AAPL $brk.a, $TOOLONGX $A1 x$B $C_D $E.FGH"),
            "cashtag AAPL | cashtag brk.a | cashtag C_D | cashtag E");
  EXPECT_EQ(entities("$aapl", Dialect::x)[0].canonical, "AAPL");
}

TEST(Entities, XUrls) {
  EXPECT_EQ(found("https://example.com/a_(b)."), "url https://example.com/a_(b)");
  EXPECT_EQ(found("http://localhost/x http://a.invalid"), "");
  EXPECT_EQ(found("see example.com, foo.co.uk?x=1 and a.b"), "url example.com | url foo.co.uk");
  EXPECT_EQ(found("x@example.com #example.com hhttp://example.com"), "hashtag example");
  EXPECT_EQ(found("http://t.co/abcde한국twitter.comテスト"), "url http://t.co/abcde | url twitter.com");
  EXPECT_EQ(found("a_b.com http://a_b.c.com"), "url http://a_b.c.com");
  EXPECT_EQ(found("http://twitter.香港/ EXAMPLE.COM"), "url http://twitter.香港/ | url EXAMPLE.COM");
  EXPECT_EQ(found("http://xn--p1ai.xn--p1ai:80/?q=a,"), "url http://xn--p1ai.xn--p1ai:80/?q=a");
  EXPECT_EQ(found("http://t.co/" + std::string(41, 'a')), "");
  EXPECT_EQ(found("http://" + std::string(64, 'a') + ".com"), "");
  EXPECT_EQ(found("http://example.com/" + std::string(4100, 'a')), "");
  EXPECT_EQ(entities("example.com/a", Dialect::x)[0].canonical, "https://example.com/a");
}

TEST(Entities, TheFirstOfTwoThatOverlapStays) {
  EXPECT_EQ(found("http://example.com/#tag @user.com"), "url http://example.com/#tag | mention user");
}

TEST(Entities, Bluesky) {
  EXPECT_EQ(found("@alice.bsky.social (@b.test) @nobody x@c.com", Dialect::bluesky),
            "mention alice.bsky.social | mention b.test");
  EXPECT_EQ(found("https://x/a. (http://y/b) example.com/c! foo.bar.invalid", Dialect::bluesky),
            "url https://x/a | url http://y/b | url example.com/c");
  EXPECT_EQ(found("#a·b, #multi#join! #2024 a#b ＃全角 #a\u200Bb", Dialect::bluesky),
            "hashtag a·b | hashtag multi#join | hashtag 全角 | hashtag a");
  EXPECT_EQ(found("$aapl $TOOLONG ($x1) $1", Dialect::bluesky), "cashtag aapl | cashtag x1");
  EXPECT_EQ(found("#" + std::string(64, 'a') + " #" + std::string(65, 'b'), Dialect::bluesky),
            "hashtag " + std::string(64, 'a'));
}

TEST(Entities, UnknownDialects) {
  EXPECT_THROW(nexus::text::parse_dialect("threads"), nexus::Error);
  EXPECT_EQ(entities("#12 a@b", Dialect::mastodon).size(), 0u);
  EXPECT_EQ(entities("(@Ann@example.social)", Dialect::mastodon).at(0).canonical, "ann@example.social");
}

/// What makes regular expressions quadratic takes linear time here. (Quadratic time on 1 MB would be minutes.)
TEST(Entities, LinearOnHostileText) {
  for (std::string piece : {"#", "@", "a.", "http://", "(((", "a_b.com.", "-a.com", "t.co/(", "#a", "@a", "co.", "@a.b",
                            "http://a.co/(", "\u0301\u0323", "\u0F73", "1.2_", "日.com", "#日", "$A "}) {
    for (Dialect dialect : {Dialect::x, Dialect::bluesky}) {
      auto seconds = [&](std::size_t size) {
        std::string text;
        while (text.size() < size) text += piece;
        std::clock_t start = std::clock();
        entities(text, dialect);
        nexus::text::text_stats(text);
        nexus::text::canonical_hashtag(text);
        return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      };
      seconds(1000);
      double small = seconds(std::size_t{1} << 17), large = seconds(std::size_t{1} << 20);
      EXPECT_LT(large, std::max(1.0, 20 * small)) << piece;
    }
  }
}

}  // namespace
