// Whatever bytes come in: the decoders of metrics stay inside them, and what they take they give back unchanged.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/metrics/counter_state.hpp"
#include "core/metrics/distinct_state.hpp"
#include "core/metrics/quantile_state.hpp"
#include "core/metrics/sample.hpp"
#include "core/metrics/timestamp.hpp"
#include "core/metrics/topk_state.hpp"
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

void quantile(std::string_view bytes) {
  QuantileState state = QuantileState::decode(bytes);
  require(state.encode() == bytes);
  require(QuantileState::from_text(state.to_text()).encode() == bytes);
  for (double q : {0.0, 0.3, 0.999, 1.0})
    if (state.count() > 0) require(*state.quantile(q) >= *state.min() && *state.quantile(q) <= *state.max());
  state.merge(QuantileState::decode(bytes));
  state.add(0);
  QuantileState::decode(state.encode());
}

void distinct(std::string_view bytes) {
  DistinctState state = DistinctState::decode(bytes);
  require(DistinctState::from_text(state.to_text()).encode() == bytes);
  DistinctState again = DistinctState::from_hll(state.to_hll());
  require(again.to_hll() == state.to_hll());
  again.merge(state);
  again.count();
}

void hll(std::string_view bytes) {
  DistinctState state = DistinctState::from_hll(bytes);
  require(DistinctState::decode(state.encode()).encode() == state.encode());
}

void topk(std::string_view bytes) {
  TopkState state = TopkState::decode(bytes);
  require(state.encode() == bytes);
  require(TopkState::from_text(state.to_text()).encode() == bytes);
  require(state.top().size() <= static_cast<std::size_t>(state.k()));
  state.merge(TopkState::decode(bytes));
  TopkState::decode(state.encode());
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
    switch (data[0] % 14) {
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
      case 6:
        quantile(bytes);
        break;
      case 7:
        QuantileState::from_text(bytes);
        break;
      case 8:
        distinct(bytes);
        break;
      case 9:
        hll(bytes);
        break;
      case 10:
        DistinctState::from_text(bytes);
        break;
      case 11:
        topk(bytes);
        break;
      case 12:
        TopkState::from_text(bytes);
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
