#include "core/metrics/topk_state.hpp"

#include <algorithm>
#include <charconv>

#include "core/metrics/clip.hpp"
#include "core/metrics/codec.hpp"

namespace nexus::metrics {

namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kTextVersion = "v1", kBigintWord = "bigint", kTextWord = "text",
                           kK = "k=", kError = "error=";
constexpr UnsignedWide kMostWeight = ~UnsignedWide(0) >> 1;
constexpr std::uint64_t kSignBit = std::uint64_t{1} << 63;

/// Eight bytes whose order as bytes is the order of the numbers.
std::string_view ordered_bytes(std::int64_t key, char (&bytes)[8]) {
  std::uint64_t bits = static_cast<std::uint64_t>(key) ^ kSignBit;
  for (int i = 7; i >= 0; --i, bits >>= 8) bytes[i] = static_cast<char>(bits);
  return {bytes, 8};
}

std::int64_t number(std::string_view ordered) {
  std::uint64_t bits = 0;
  for (char c : ordered) bits = bits << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(bits ^ kSignBit);
}

[[noreturn]] void bad_text(std::string_view text) {
  throw Error("22P02", "invalid input syntax for type nexus.topk_state: \"" + clip(text) + "\"")
      .hint("The form is: v1 text k=2 error=0 cats=6 dogs=3");
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

std::string percent_encoded(std::string_view key) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text;
  for (char c : key) {
    if (is_plain(c)) {
      text += c;
      continue;
    }
    auto byte = static_cast<unsigned char>(c);
    text += '%';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

bool percent_decoded(std::string_view text, std::string &key) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      if (!is_plain(text[i])) return false;
      key += text[i];
      continue;
    }
    unsigned value = 0;
    if (text.size() - i < 3) return false;
    auto [end, fault] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    if (fault != std::errc() || end != text.data() + i + 3 || value == 0) return false;
    key += static_cast<char>(value);
    i += 2;
  }
  return key.size() <= TopkState::kMostKeyBytes;
}

}  // namespace

void TopkState::use(Keys keys, std::int64_t k) {
  if (k_ == 0) {
    if (k < 1 || k > kMostK) throw invalid_argument("k must be between 1 and " + std::to_string(kMostK));
    k_ = static_cast<int>(k);
    keys_ = keys;
    return;
  }
  if (k != k_) throw invalid_argument("one ranking cannot have two k");
  if (keys != keys_) throw invalid_argument("keys of type bigint and of type text cannot be ranked together");
}

std::size_t TopkState::places() const {
  return std::max<std::size_t>(1000, 8 * static_cast<std::size_t>(k_));
}

void TopkState::add(std::string_view key, Wide weight) {
  auto found = sums_.find(key);
  if (found == sums_.end()) found = sums_.emplace(std::pmr::string(key, sums_.get_allocator().resource()), Sum()).first;
  found->second.weight = metrics::add(found->second.weight, weight);
  if (sums_.size() >= 2 * places()) prune();
}

void TopkState::add_bigint(std::int64_t key, std::int64_t weight) {
  if (weight < 0) throw invalid_argument("the weight of a key must be 0 or more");
  char bytes[8];
  add(ordered_bytes(key, bytes), weight);
}

void TopkState::add_text(std::string_view utf8, std::int64_t weight) {
  if (weight < 0) throw invalid_argument("the weight of a key must be 0 or more");
  if (utf8.size() > kMostKeyBytes)
    throw Error("54000", "the key is too long for a ranking")
        .hint("Keys may have " + std::to_string(kMostKeyBytes) + " bytes.");
  add(utf8, weight);
}

void TopkState::prune() {
  if (sums_.size() <= places()) return;
  std::vector<Wide> weights;
  weights.reserve(sums_.size());
  for (const auto &[key, sum] : sums_) {
    Wide weight = sum.weight;  // a copy: push_back takes a reference, and demands alignment
    weights.push_back(weight);
  }
  auto first_out = weights.begin() + static_cast<std::ptrdiff_t>(places());
  std::nth_element(weights.begin(), first_out, weights.end(), std::greater<>());
  const Wide taken = *first_out;
  error_ = metrics::add(error_, taken);
  for (auto entry = sums_.begin(); entry != sums_.end();) {
    if (entry->second.weight <= taken) {
      entry = sums_.erase(entry);
    } else {
      entry->second.weight = entry->second.weight - taken;
      ++entry;
    }
  }
}

void TopkState::merge(const TopkState &other) {
  if (other.k_ == 0) return;
  use(other.keys_, other.k_);
  error_ = metrics::add(error_, other.error_);
  for (const auto &[key, sum] : other.sums_) add(key, sum.weight);
}

std::vector<TopkState::Entry> TopkState::ranked() const {
  std::vector<Entry> entries;
  entries.reserve(sums_.size());
  for (auto entry = sums_.begin(); entry != sums_.end(); ++entry) entries.push_back(entry);
  std::sort(entries.begin(), entries.end(), [](const Entry &a, const Entry &b) {
    if (a->second.weight != b->second.weight) return a->second.weight > b->second.weight;
    return a->first < b->first;
  });
  return entries;
}

std::string TopkState::readable(std::string_view key) const {
  return keys_ == Keys::text ? std::string(key) : std::to_string(number(key));
}

std::vector<Ranked> TopkState::top() {
  prune();
  std::vector<Ranked> best;
  for (const Entry &entry : ranked()) {
    if (best.size() == static_cast<std::size_t>(k_)) break;
    best.push_back({readable(entry->first), entry->second.weight});
  }
  return best;
}

std::string TopkState::encode() {
  prune();
  Writer out;
  out.byte(kVersion);
  out.byte(static_cast<std::uint8_t>(keys_));
  out.varint(static_cast<std::uint64_t>(k_));
  out.varint(static_cast<UnsignedWide>(error_));
  out.varint(sums_.size());
  for (const Entry &entry : ranked()) {
    if (keys_ == Keys::bigint) {
      out.signed_varint(number(entry->first));
    } else {
      out.varint(entry->first.size());
      for (char c : entry->first) out.byte(static_cast<std::uint8_t>(c));
    }
    out.varint(static_cast<UnsignedWide>(entry->second.weight));
  }
  return out.take();
}

TopkState TopkState::decode(std::string_view bytes, std::pmr::memory_resource *memory) {
  Reader in(bytes, "topk_state");
  in.version(kVersion);
  TopkState state(memory);
  std::uint8_t keys = in.byte();
  if (keys > static_cast<std::uint8_t>(Keys::text)) in.damaged("its type of key is unknown");
  std::uint64_t k = in.varint64();
  if (k < 1 || k > kMostK) in.damaged("k is out of range");
  state.use(static_cast<Keys>(keys), static_cast<std::int64_t>(k));
  auto weight_of = [&in] {
    UnsignedWide weight = in.varint();
    if (weight > kMostWeight) in.damaged("a weight is out of range");
    return static_cast<Wide>(weight);
  };
  state.error_ = weight_of();
  std::uint64_t size = in.varint64();
  if (size > state.places()) in.damaged("it has too many keys");
  std::string key, before;
  Wide before_weight = 0;
  for (std::uint64_t i = 0; i < size; ++i) {
    key.clear();
    if (state.keys_ == Keys::bigint) {
      Wide value = in.signed_varint();
      if (value < INT64_MIN || value > INT64_MAX) in.damaged("a key is out of range");
      char ordered[8];
      key = ordered_bytes(static_cast<std::int64_t>(value), ordered);
    } else {
      std::uint64_t length = in.varint64();
      if (length > kMostKeyBytes) in.damaged("a key is too long");
      while (length-- > 0) {
        key += static_cast<char>(in.byte());
        if (key.back() == 0) in.damaged("a key contains a zero byte");
      }
    }
    Wide weight = weight_of();
    if (i > 0 && (weight > before_weight || (weight == before_weight && key <= before)))
      in.damaged("keys are out of order");
    if (!state.sums_.emplace(std::pmr::string(key, state.sums_.get_allocator().resource()), Sum{weight}).second)
      in.damaged("a key stands twice");
    before = key;
    before_weight = weight;
  }
  in.end();
  return state;
}

std::string TopkState::to_text() {
  prune();
  std::string text(kTextVersion);
  text += ' ';
  text += keys_ == Keys::text ? kTextWord : kBigintWord;
  text += " k=" + std::to_string(k_) + " error=" + to_string(error_);
  for (const Entry &entry : ranked())
    text += ' ' + (keys_ == Keys::text ? percent_encoded(entry->first) : readable(entry->first)) + '=' +
            to_string(entry->second.weight);
  return text;
}

TopkState TopkState::from_text(std::string_view text) {
  std::string_view rest = text;
  auto word = [&rest] {
    std::size_t size = std::min(rest.find(' '), rest.size());
    std::string_view found = rest.substr(0, size);
    rest.remove_prefix(std::min(size + 1, rest.size()));
    return found;
  };
  auto value_after = [&](std::string_view name) {
    std::string_view found = word();
    Wide value;
    if (!found.starts_with(name) || !parse_wide(found.substr(name.size()), value) || value < 0) bad_text(text);
    return value;
  };
  if (word() != kTextVersion) bad_text(text);
  std::string_view keys = word();
  if (keys != kTextWord && keys != kBigintWord) bad_text(text);
  Wide k = value_after(kK);
  if (k < 1 || k > kMostK) bad_text(text);
  TopkState state;
  state.use(keys == kTextWord ? Keys::text : Keys::bigint, static_cast<std::int64_t>(k));
  state.error_ = value_after(kError);
  while (!rest.empty()) {
    std::string_view pair = word();
    std::size_t sign = pair.find('=');
    if (sign == std::string_view::npos || state.sums_.size() == state.places()) bad_text(text);
    std::string key;
    if (state.keys_ == Keys::text) {
      if (!percent_decoded(pair.substr(0, sign), key)) bad_text(text);
    } else {
      Wide value;
      if (!parse_wide(pair.substr(0, sign), value) || value < INT64_MIN || value > INT64_MAX) bad_text(text);
      char ordered[8];
      key = ordered_bytes(static_cast<std::int64_t>(value), ordered);
    }
    Wide weight;
    if (!parse_wide(pair.substr(sign + 1), weight) || weight < 0) bad_text(text);
    if (!state.sums_.emplace(std::pmr::string(key), Sum{weight}).second) bad_text(text);
  }
  return state;
}

}  // namespace nexus::metrics
