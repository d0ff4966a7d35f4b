#include "bridge/media/tus.hpp"

#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <functional>

#include "bridge/http/error.hpp"
#include "bridge/media/byte_range.hpp"
#include "bridge/media/receiver.hpp"

namespace nexus::bridge {
namespace {

int status_of(const std::function<void()> &call) {
  try {
    call();
  } catch (const HttpError &error) {
    return error.status;
  }
  return 0;
}

TEST(Tus, ReadsLengths) {
  EXPECT_EQ(tus::parse_length("0"), 0U);
  EXPECT_EQ(tus::parse_length("999999999999999999"), 999999999999999999U);
  for (const char *text : {"", "-1", "+1", " 1", "1 ", "1e3", "0x1", "1000000000000000000"}) {
    EXPECT_EQ(tus::parse_length(text), std::nullopt) << text;
  }
}

TEST(Tus, ReadsTheNamesOfAFile) {
  const auto metadata =
      tus::parse_metadata("relativePath bnVsbA==, filename w6QucG5n,filetype aW1hZ2UvcG5n,is_confidential");
  EXPECT_EQ(metadata.file_name, "\xc3\xa4.png");
  EXPECT_EQ(metadata.file_type, "image/png");
  EXPECT_EQ(tus::parse_metadata("").file_name, "");
  EXPECT_EQ(tus::parse_metadata("name YQ==").file_name, "a");
  for (const char *text : {"filename !!", "filename /w==", "filename AGE=", "filename YQ== YQ=="}) {
    EXPECT_EQ(status_of([&] { tus::parse_metadata(text); }), 400) << text;
  }
}

TEST(Tus, ReadsChecksums) {
  const auto checksum = tus::parse_checksum("sha1 fCEUM/AgcVl3Qeb/Wo6jR4mrv0M=");
  EXPECT_EQ(checksum.algorithm, "sha1");
  EXPECT_EQ(checksum.digest.size(), 20U);
  EXPECT_EQ(tus::parse_checksum("SHA256 uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=").digest.size(), 32U);
  for (const char *text :
       {"", "sha1", "sha1 ", "sha1 AA==", "md5 XUFAKrxLKna5cZ2REBfFkg==", "sha256 fCEUM/AgcVl3Qeb/Wo6jR4mrv0M="}) {
    EXPECT_EQ(status_of([&] { tus::parse_checksum(text); }), 400) << text;
  }
}

TEST(Tus, KnowsVersionAndMethod) {
  httplib::Request request;
  request.method = "POST";
  EXPECT_EQ(status_of([&] { tus::check_version(request); }), 412);
  request.headers.emplace("Tus-Resumable", "1.0.0");
  EXPECT_EQ(status_of([&] { tus::check_version(request); }), 0);
  EXPECT_EQ(tus::method_of(request), "POST");
  request.headers.emplace("X-HTTP-Method-Override", "PATCH");
  EXPECT_EQ(tus::method_of(request), "PATCH");
  request.method = "GET";
  EXPECT_EQ(tus::method_of(request), "GET");
  EXPECT_EQ(tus::http_time(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(ByteRange, IsOneRangeOrNone) {
  struct Case {
    const char *header;
    std::uint64_t first, last;
  };
  bool unsatisfiable = false;
  for (const Case &one : {Case{"bytes=0-0", 0, 0}, Case{"bytes=2-4", 2, 4}, Case{"Bytes= 7-", 7, 9},
                          Case{"bytes=-3", 7, 9}, Case{"bytes=-30", 0, 9}, Case{"bytes=9-99", 9, 9}}) {
    const auto range = parse_byte_range(one.header, 10, unsatisfiable);
    ASSERT_TRUE(range) << one.header;
    EXPECT_EQ(range->first, one.first) << one.header;
    EXPECT_EQ(range->last, one.last) << one.header;
  }
  for (const char *header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=4-2", "bytes=0-1,3-4", "bytes=a-b", "lines=0-1", "bytes=1-x"}) {
    EXPECT_FALSE(parse_byte_range(header, 10, unsatisfiable)) << header;
    EXPECT_FALSE(unsatisfiable) << header;
  }
  for (const char *header : {"bytes=10-", "bytes=10-20", "bytes=-0"}) {
    EXPECT_FALSE(parse_byte_range(header, 10, unsatisfiable)) << header;
    EXPECT_TRUE(unsatisfiable) << header;
  }
}

TEST(Receiver, TellsWhatTheStoreCannotDo) {
  using Kind = media::StoreError::Kind;
  EXPECT_EQ(from_store({Kind::kBusy, "x"}).status, 423);
  EXPECT_EQ(from_store({Kind::kNoSpace, "x"}).status, 507);
  EXPECT_EQ(from_store({Kind::kMissing, "x"}).status, 404);
  EXPECT_EQ(from_store({Kind::kFailed, "x"}).status, 503);
}

TEST(Receiver, KeepsOnlyWhatHasItsChecksum) {
  std::string name = (std::filesystem::temp_directory_path() / "nexus_receiver_XXXXXX").string();
  const std::string directory = mkdtemp(name.data());
  const auto store = media::open_store({directory});
  const std::string key(32, 'a');
  const auto checksum = tus::parse_checksum("sha1 fCEUM/AgcVl3Qeb/Wo6jR4mrv0M=");
  for (const char *body : {"wurld", "worl", "world"}) {
    Receiver receiver(*store, {key, 0, 10, checksum});
    receiver.open();
    receiver.take(body);
    std::optional<std::uint64_t> offset;
    const int status = status_of([&] { offset = receiver.end(true); });
    const bool right = std::string(body) == "world";
    EXPECT_EQ(status, right ? 0 : 460) << body;
    EXPECT_EQ(offset, right ? std::optional<std::uint64_t>(5) : std::nullopt) << body;
    EXPECT_EQ(Receiver::offset_of(*store, key, 10), right ? 5U : 0U) << body;
  }
  Receiver late(*store, {key, 3, 10});
  EXPECT_EQ(status_of([&] { late.open(); }), 409);
  EXPECT_EQ(late.end(false), std::nullopt);
  Receiver long_one(*store, {key, 5, 10});
  long_one.open();
  EXPECT_EQ(status_of([&] { long_one.take("much too long"); }), 413);
  EXPECT_EQ(long_one.end(false), 5U);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace nexus::bridge
