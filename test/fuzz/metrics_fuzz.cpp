// Whatever bytes come in: the decoders of metrics stay inside them, and what they take they give back unchanged.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/metrics/counter_state.hpp"
#include "core/metrics/sample.hpp"
#include "core/metrics/timestamp.hpp"
#include "core/metrics/totals.hpp"

using namespace nexus::metrics;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void state(std::string_view bytes) {
  Totals totals = Totals::decode(bytes);
  require(totals.encode() == bytes);
  require(Totals::from_text(totals.to_text()) == totals);
}

void counter(std::string_view bytes) {
  CounterState state = CounterState::decode(bytes);
  require(state.encode() == bytes);
  state.summary();
  // Whether an empty state would take seq does not stand in its text, because nothing depends on it.
  CounterState back = CounterState::from_text(state.to_text());
  require(state.empty() ? back.empty() : back.encode() == bytes);
}

void sample(std::string_view bytes) {
  SampleReader reader(INT64_MAX);
  while (bytes.size() >= 3) {
    auto kind = static_cast<Scalar::Kind>(bytes[0] & 3);
    std::string_view rest = bytes.substr(3);
    std::string_view key = rest.substr(0, static_cast<unsigned char>(bytes[1]));
    rest.remove_prefix(key.size());
    std::string_view value = rest.substr(0, static_cast<unsigned char>(bytes[2]));
    rest.remove_prefix(value.size());
    reader.set(key, {kind, value});
    bytes = rest;
  }
  reader.finish();
  if (!reader.fault()) require(reader.sample().content_id > 0 && !reader.sample().platform.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char *>(data) + 1, size - 1);
  try {
    switch (data[0] % 7) {
      case 0:
        state(bytes);
        break;
      case 1:
        Totals::from_text(bytes);
        break;
      case 2:
        sample(bytes);
        break;
      case 3:
        parse_timestamp(bytes);
        break;
      case 4:
        counter(bytes);
        break;
      case 5:
        CounterState::from_text(bytes);
        break;
      default: {
        Policy policy = Policy::parse(bytes);
        require(Policy::parse(policy.name()) == policy);
      }
    }
  } catch (const nexus::Error &) {
    // Refusal is the right answer to most bytes.
  }
  return 0;
}
