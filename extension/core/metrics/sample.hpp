#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/metrics/bucket.hpp"
#include "core/metrics/totals.hpp"

namespace nexus::metrics {

/// A value of a sample as JSON gave it; `text` holds a string's characters or a number's decimal digits.
struct Scalar {
  enum class Kind : std::uint8_t { null, number, string, other };
  Kind kind = Kind::null;
  std::string_view text;
};

/// One measurement of one post: the counters as they stood at captured_at.
struct Sample {
  std::int32_t content_id = 0;
  std::string_view platform;
  Instant captured_at = 0;
  std::string_view source = "manual";
  std::array<std::optional<std::int64_t>, kMetrics> counters;
  std::optional<std::int64_t> impressions;
  std::optional<std::int32_t> followers_gained, platform_post_row_id;
  std::optional<std::string_view> revenue;  // a decimal below 10^8 with at most two decimals
};

/// Why a sample is refused: the field at fault, a code for programs, a sentence for people.
struct SampleFault {
  std::string field;
  const char *code;
  std::string message;
};

/// Builds a sample from the pairs of a JSON object, in any order, whose keys are the columns of content_metrics. The
/// first fault is kept; columns that are computed or given by the table (id, engagement_rate, last_updated) are passed
/// over, any other key is a fault.
///
///     SampleReader reader(now);
///     reader.set("content_id", {Scalar::Kind::number, "7"});
///     reader.finish();                                           // platform and captured_at are missing
///     reader.fault()->code == "missing"
///
/// Codes: missing, unknown_key, wrong_type, negative, out_of_range, not_an_integer, bad_timestamp, in_future,
/// bad_platform, bad_source. Views into the texts given must stay valid as long as the sample is read.
class SampleReader {
 public:
  /// `latest`: a captured_at after it lies in the future.
  explicit SampleReader(Instant latest) : latest_(latest) {}

  void set(std::string_view key, const Scalar &value);
  void finish();

  const std::optional<SampleFault> &fault() const { return fault_; }
  const Sample &sample() const { return sample_; }

 private:
  void refuse(std::string_view field, const char *code, std::string message);
  std::optional<std::int64_t> integer(std::string_view key, const Scalar &value, std::int64_t least, std::int64_t most);
  std::optional<std::string_view> string(std::string_view key, const Scalar &value);
  void set_revenue(const Scalar &value);

  Instant latest_;
  Sample sample_;
  std::optional<SampleFault> fault_;
  bool has_content_ = false, has_platform_ = false, has_time_ = false;
};

}  // namespace nexus::metrics
