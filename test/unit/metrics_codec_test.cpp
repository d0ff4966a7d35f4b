#include "core/metrics/codec.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/metrics/chunks.hpp"

using namespace nexus::metrics;

namespace {

/// The form by its definition: seven bits a byte, the lowest first.
std::string by_definition(UnsignedWide value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((static_cast<std::uint8_t>(value) & 0x7f) | 0x80);
  return bytes + static_cast<char>(value);
}

}  // namespace

TEST(MetricsCodec, VarintsOfEverySize) {
  for (int bits = 0; bits <= 128; ++bits)
    for (int less = -1; less <= 1; ++less) {
      UnsignedWide value = (bits == 128 ? UnsignedWide(0) : UnsignedWide(1) << bits) + static_cast<UnsignedWide>(less);
      Writer out;
      out.varint(value);
      const std::string bytes = out.take();
      EXPECT_EQ(bytes, by_definition(value)) << bits << ' ' << less;
      for (std::size_t behind : {0U, 1U, 7U, 8U, 20U}) {  // eight bytes at once, or one by one at the end
        const std::string longer = bytes + std::string(behind, '\xff');
        Reader in(longer, "test");
        EXPECT_TRUE(in.varint() == value) << bits << ' ' << less << ' ' << behind;
        EXPECT_EQ(in.left(), behind);
        Reader narrow(longer, "test");
        if (value <= UINT64_MAX)
          EXPECT_TRUE(narrow.varint64() == static_cast<std::uint64_t>(value));
        else
          EXPECT_THROW(narrow.varint64(), nexus::Error);
      }
    }
}

TEST(MetricsCodec, LeadingZerosAndEarlyEnds) {
  for (std::size_t size = 2; size < 12; ++size)
    for (std::size_t behind : {0U, 20U}) {
      std::string zeros = std::string(size - 1, '\x81') + '\0' + std::string(behind, 'x');
      EXPECT_THROW(Reader(zeros, "test").varint(), nexus::Error) << size << ' ' << behind;
      EXPECT_THROW(Reader(zeros, "test").varint64(), nexus::Error) << size << ' ' << behind;
    }
  EXPECT_THROW(Reader(std::string(12, '\x81'), "test").varint(), nexus::Error);
  EXPECT_THROW(Reader("", "test").varint(), nexus::Error);
}

TEST(MetricsChunks, RecordsStayWholeAndInOrder) {
  Chunks chunks(std::pmr::get_default_resource());
  std::string all;
  for (std::size_t i = 0; i < 3000; ++i) {
    std::string record(1 + i % 300, static_cast<char>('a' + i % 26));
    record.back() = '.';
    chunks.append(record);
    all += record;
  }
  Chunks moved(std::move(chunks));
  std::string found;
  moved.each([&found](std::string_view records) {
    EXPECT_TRUE(records.ends_with('.'));
    found += records;
  });
  EXPECT_EQ(found, all);
  EXPECT_GE(moved.size(), all.size());
  EXPECT_LT(moved.size(), 2 * all.size());
}
