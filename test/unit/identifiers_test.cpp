#include "core/text/identifiers.hpp"

#include <gtest/gtest.h>

#include <string>

#include "core/error.hpp"

using nexus::text::is_valid;

namespace {

void expect(std::string_view kind, std::initializer_list<std::string> good, std::initializer_list<std::string> bad) {
  for (const std::string &value : good) EXPECT_TRUE(is_valid(kind, value)) << kind << " " << value;
  for (const std::string &value : bad) EXPECT_FALSE(is_valid(kind, value)) << kind << " " << value;
}

TEST(Identifiers, X) {
  expect("hashtag", {"#a", "＃é1"}, {"", "a", "#", "#1", "#a b", " #a", "#a#b"});
  expect("username", {"@ann", "@a_1"}, {"ann", "@", "@ann ", "@ann/list", "@abcdefghijklmnopqrstu"});
  expect("list", {"@ann/list-1"}, {"@ann", "@ann/", "@ann/1", " @ann/list"});
  expect("url",
         {"http://a.bc", "HTTPS://a.bc/", "http://u:p@a.bc:80/x?y#z", "http://10.0.0.255/", "http://[::1]:80/",
          "http://☃.net/%20", "http://a_b.example.com"},
         {"", "a.bc", "ftp://a.bc", "http://a", "http://a.1b", "http://a.b c", "http://a_b.com", "http://a-.com",
          "http://10.0.0.256", "http://a.bc:123456", "http://a.bc/%2", "http://u@v@a.bc"});
  expect("url_without_protocol", {"a.bc/x", "http://a.bc"}, {"a", "a..b", "/a.bc"});
}

TEST(Identifiers, AtProtocol) {
  const std::string label(63, 'a');
  expect("handle", {"a.b", "a-b.c--d", "1.x1", label + ".com"},
         {"a", "a.", ".a", "a.-b", "a.1", "a_b.c", "é.com", label + "a.com", "a b.c"});
  expect("did", {"did:plc:a", "did:web:a.b%3A80:c"},
         {"did:plc", "did:plc:", "did:Plc:a", "did::a", "did:plc:a%", "DID:plc:a"});
  expect("atidentifier", {"a.b", "did:plc:a"}, {"a", "did:plc"});
  expect("aturi", {"at://a.b", "at://did:plc:a/x.y.z", "at://a.b/x.y.z/self", "at://a.b/x.y.z/self#/c%20d"},
         {"at://", "at://a", "at://a.b/", "at://a.b/x.y", "at://a.b/x.y.z/", "at://a.b/x.y.z/a/b", "at://a.b#c",
          "at://a.b#/%zz", "at://a.b?q"});
  expect("nsid", {"a.b.c", "a-1.2.cD"}, {"a.b", "1.b.c", "a.b.c-d", "a.b.1", "a..c", "a.b.c "});
  expect("tid", {"2222222222222", "jzzzzzzzzzzzz"},
         {"k222222222222", "222222222222", "22222222222221", "2222222222220"});
  expect("recordkey", {"self", "...", std::string(512, 'a')}, {"", ".", "..", "a/b", "é", std::string(513, 'a')});
}

TEST(Identifiers, Language) {
  expect("language",
         {"de", "DE", "zh-yue-Hant-HK", "sl-rozaj-biske", "de-CH-1901", "en-a-bbb-x-a", "x-whatever", "i-klingon",
          "es-419"},
         {"", "d", "de-", "-de", "de--CH", "de_CH", "en-rozaj-rozaj", "en-a", "en-a-bb-a-cc", "x", "de-x", "123456789",
          "ab-1"});
}

TEST(Identifiers, Datetime) {
  expect("datetime", {"2024-02-29T23:59:59Z", "2024-01-01T00:00:00.000000001-12:30", "0000-01-01T00:00:00Z"},
         {"", "2024-02-29", "2023-02-29T00:00:00Z", "2024-04-31T00:00:00Z", "2024-13-01T00:00:00Z",
          "2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01t00:00:00Z",
          "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00-00:00", "2024-01-01T00:00:00+24:00",
          "0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "2024-01-01T00:00Z"});
}

TEST(Identifiers, UnknownKind) {
  EXPECT_THROW(is_valid("isbn", "x"), nexus::Error);
}

}  // namespace
