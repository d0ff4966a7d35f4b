#include "core/jsonschema/document.hpp"

namespace nexus::jsonschema {

namespace {

/// "~" and "/" of a key, as RFC 6901 writes them.
std::string escaped(std::string_view key) {
  std::string text;
  for (char c : key) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] == '~' && i + 1 < token.size() && (token[i + 1] == '0' || token[i + 1] == '1')) {
      text += token[++i] == '0' ? '~' : '/';
    } else {
      text += token[i];
    }
  }
  return text;
}

int order(std::uint64_t a, std::uint64_t b) {
  return a == b ? 0 : a < b ? -1 : 1;
}

}  // namespace

std::string_view name(Kind kind) {
  switch (kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return "boolean";
    case Kind::number:
      return "number";
    case Kind::string:
      return "string";
    case Kind::array:
      return "array";
    case Kind::object:
      return "object";
  }
  return "";
}

void Document::clear() {
  values_.clear();
  open_.clear();
  long_digits_.clear();
  key_ = {};
}

void Document::begin(Kind container) {
  add(container);
  open_.push_back(static_cast<Place>(values_.size() - 1));
}

void Document::end() {
  values_[open_.back()].end = static_cast<Place>(values_.size());
  open_.pop_back();
}

Place Document::member(Place object, std::string_view name) const {
  if (values_[object].kind != Kind::object) return kNone;
  for (Place child = first(object); child != behind(object); child = next(child))
    if (values_[child].key == name) return child;
  return kNone;
}

Place Document::find(Place start, std::string_view pointer) const {
  Place place = start;
  while (!pointer.empty()) {
    if (pointer.front() != '/') return kNone;
    std::size_t slash = pointer.find('/', 1);
    std::string token = unescaped(pointer.substr(1, slash == std::string_view::npos ? slash : slash - 1));
    pointer = slash == std::string_view::npos ? std::string_view() : pointer.substr(slash);
    if (values_[place].kind == Kind::object) {
      place = member(place, token);
      if (place == kNone) return kNone;
    } else if (values_[place].kind == Kind::array) {
      if (token.empty() || token.size() > 9 || token.find_first_not_of("0123456789") != std::string::npos) return kNone;
      if (token.size() > 1 && token[0] == '0') return kNone;
      auto index = static_cast<std::uint32_t>(std::stoul(token));
      if (index >= values_[place].size) return kNone;
      Place child = first(place);
      while (index-- > 0) child = next(child);
      place = child;
    } else {
      return kNone;
    }
  }
  return place;
}

std::string Document::pointer(Place place) const {
  std::vector<Place> way;
  for (; place != kRoot; place = values_[place].parent) way.push_back(place);
  std::string text;
  for (auto step = way.rbegin(); step != way.rend(); ++step) {
    const Value &value = values_[*step];
    text += '/';
    text += values_[value.parent].kind == Kind::object ? escaped(value.key) : std::to_string(value.index);
  }
  return text;
}

int Document::compare(const Document &a, Place at_a, const Document &b, Place at_b, Interrupt &interrupt) {
  // As long as all values were equal, both walks stand at the same place of the same shape.
  for (Place end = a.behind(at_a); at_a != end; ++at_a, ++at_b) {
    interrupt.poll();
    const Value &x = a.values_[at_a], &y = b.values_[at_b];
    if (x.kind != y.kind) return order(static_cast<unsigned>(x.kind), static_cast<unsigned>(y.kind));
    if (x.size != y.size) return order(x.size, y.size);
    int different = 0;
    if (x.kind == Kind::boolean) different = order(x.truth ? 1 : 0, y.truth ? 1 : 0);
    if (x.kind == Kind::number) different = x.number == y.number ? 0 : x.number.compare(y.number);
    if (x.kind == Kind::string) different = x.text.compare(y.text);
    if (different != 0) return different;
    if (x.kind != Kind::object) continue;
    for (Place i = a.first(at_a), j = b.first(at_b); i != a.behind(at_a); i = a.next(i), j = b.next(j)) {
      interrupt.poll();
      if (int keys = a.values_[i].key.compare(b.values_[j].key); keys != 0) return keys;
    }
  }
  return 0;
}

}  // namespace nexus::jsonschema
