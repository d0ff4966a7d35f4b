// JSON Schema: any schema and document of the shapes that bytes can say. No crash, the two ways to ask agree, and what
// the pattern translator makes of any text is bounded.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.hpp"
#include "core/jsonschema/validator.hpp"

using namespace nexus::jsonschema;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

class Bytes {
 public:
  Bytes(const std::uint8_t *data, std::size_t size) : data_(data), size_(size) {}
  unsigned next() { return at_ < size_ ? data_[at_++] : 0; }
  bool empty() const { return at_ >= size_; }

 private:
  const std::uint8_t *data_;
  std::size_t size_, at_ = 0;
};

// In one order, as keys must be; the values that follow choose what they mean.
constexpr std::string_view kKeys[] = {"$anchor",
                                      "$defs",
                                      "$dynamicAnchor",
                                      "$dynamicRef",
                                      "$id",
                                      "$ref",
                                      "$schema",
                                      "a",
                                      "additionalItems",
                                      "additionalProperties",
                                      "allOf",
                                      "anyOf",
                                      "b",
                                      "const",
                                      "contains",
                                      "definitions",
                                      "dependencies",
                                      "dependentRequired",
                                      "dependentSchemas",
                                      "else",
                                      "enum",
                                      "exclusiveMaximum",
                                      "if",
                                      "items",
                                      "maxContains",
                                      "maxItems",
                                      "maxLength",
                                      "maximum",
                                      "minContains",
                                      "minProperties",
                                      "multipleOf",
                                      "not",
                                      "oneOf",
                                      "pattern",
                                      "patternProperties",
                                      "prefixItems",
                                      "properties",
                                      "propertyNames",
                                      "required",
                                      "then",
                                      "type",
                                      "unevaluatedItems",
                                      "unevaluatedProperties",
                                      "uniqueItems"};
constexpr std::string_view kTexts[] = {
    "a",      "b",     "#",    "#/$defs/a", "#a",      "x.json",  "x.json#a", "/items/0", "string",          "integer",
    "object", "array", "null", "#/items",   "#/$defs", "^a.*\\d", "[a-z]+?",  "b",        "x.json#/items/0", ""};
constexpr std::string_view kNumbers[] = {"0",      "1", "-1", "0.1", "2", "1e3", "0.30", "12345678901234567890123",
                                         "1.5e-7", "3"};

void build(Bytes &bytes, Document &document) {
  // Without recursion: `open` holds, for each open container, the next key that it may use (0 for arrays: 1 + size).
  std::vector<std::pair<Kind, std::size_t>> open;
  do {
    if (!open.empty() && open.back().first == Kind::object) {
      std::size_t key = open.back().second + bytes.next() % 8;
      if (key >= std::size(kKeys)) {
        document.end();
        open.pop_back();
        continue;
      }
      document.key(kKeys[key]);
      open.back().second = key + 1;
    }
    unsigned choice = bytes.empty() ? 7 : bytes.next();
    switch (choice % 8) {
      case 0:
        document.null();
        break;
      case 1:
        document.boolean((choice & 8) != 0);
        break;
      case 2:
        document.number(kNumbers[choice / 8 % std::size(kNumbers)]);
        break;
      case 3:
        document.string(kTexts[choice / 8 % std::size(kTexts)]);
        break;
      case 4:
        document.begin(Kind::array);
        open.emplace_back(Kind::array, 0);
        break;
      case 5:
      case 6:
        document.begin(Kind::object);
        open.emplace_back(Kind::object, 0);
        break;
      default:
        document.boolean(true);
        if (!open.empty()) {
          document.end();
          open.pop_back();
        }
        break;
    }
  } while (!open.empty());
}

class TextMatcher final : public Matcher {
 public:
  int add(std::string_view expression) override {
    require(expression.size() < 4096 * 128);
    return static_cast<int>(expression.size() % 2);
  }
  bool matches(int expression, std::string_view text) override {
    return text.size() % 2 == static_cast<unsigned>(expression);
  }
};

/// Schemas whose size explodes end here instead of by a cancel.
struct Enough {};
int budget;
void spend() {
  if (--budget < 0) throw Enough();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  budget = 8;
  try {
    to_postgres(std::string_view(reinterpret_cast<const char *>(data), size));
  } catch (const nexus::Error &) {
  }
  Bytes bytes(data, size);
  Draft draft = bytes.next() % 2 == 0 ? Draft::draft7 : Draft::draft2020_12;
  Document schema, document;
  build(bytes, schema);
  build(bytes, document);
  TextMatcher matcher;
  try {
    Schema compiled(std::move(schema), draft, matcher, nexus::Interrupt(spend));
    bool valid = is_valid(compiled, document, nexus::Interrupt(spend));
    auto found = violations(compiled, document, nexus::Interrupt(spend));
    require(valid == found.empty());
    for (const Violation &one : found)
      require(compiled.document().find(Document::kRoot, one.schema_path) != Document::kNone &&
              document.find(Document::kRoot, one.instance_path) != Document::kNone);
  } catch (const nexus::Error &) {
  } catch (const Enough &) {
  }
  return 0;
}
