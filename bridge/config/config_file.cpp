#include "bridge/config/config_file.hpp"

#include <toml++/toml.h>

#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "bridge/config/setting_table.hpp"
#include "bridge/http/text.hpp"

namespace nexus::bridge {
namespace {

std::string place_of(const toml::node &node, const std::string &file) {
  return file + ", line " + std::to_string(node.source().begin.line) + ": ";
}

// A list goes on as text with commas, so none of its elements may hold one.
std::optional<std::string> list_text(const toml::node &node) {
  const auto *array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> parts;
  for (const auto &element : *array) {
    const auto text = element.value_exact<std::string>();
    if (!text || text->find(',') != std::string::npos) return std::nullopt;
    parts.push_back(*text);
  }
  return joined(parts, ",");
}

std::optional<std::string> number_text(const toml::node &node) {
  if (const auto whole = node.value_exact<std::int64_t>()) return std::to_string(*whole);
  if (const auto number = node.value_exact<double>()) {
    std::ostringstream text;
    text << *number;
    return text.str();
  }
  return std::nullopt;
}

// The value as text, or nothing when it is of another type than the setting.
std::optional<std::string> value_text(const toml::node &node, Setting::Kind kind) {
  switch (kind) {
    case Setting::Kind::kText:
      return node.value_exact<std::string>();
    case Setting::Kind::kList:
      return list_text(node);
    case Setting::Kind::kNumber:
      return number_text(node);
    case Setting::Kind::kBool:
      if (const auto yes = node.value_exact<bool>()) return std::string(*yes ? "true" : "false");
      return std::nullopt;
  }
  return std::nullopt;
}

const char *type_name(Setting::Kind kind) {
  switch (kind) {
    case Setting::Kind::kText:
      return "a string";
    case Setting::Kind::kList:
      return "an array of strings without commas";
    case Setting::Kind::kNumber:
      return "a number";
    case Setting::Kind::kBool:
      return "true or false without quotes";
  }
  return "";
}

class Reader {
 public:
  explicit Reader(const std::string &file) : file_(file) {}

  FileSettings read(const toml::table &table) {
    for (const auto &[key, node] : table) {
      const std::string name(key.str());
      if (name == "app" && node.is_table()) {
        read_app(*node.as_table());
        continue;
      }
      const Setting *setting = find_setting(name);
      if (setting == nullptr) {
        fault(node, "there is no setting \"" + name + "\"" + meant_setting(name));
      } else if (auto text = value_text(node, setting->kind)) {
        found_.values[name] = std::move(*text);
      } else {
        fault(node, name + ": expecting " + type_name(setting->kind));
      }
    }
    if (!faults_.empty()) throw ConfigError(faults_);
    return std::move(found_);
  }

 private:
  void read_app(const toml::table &app) {
    for (const auto &[key, node] : app) {
      if (key.str() != "settings" || !node.is_table()) {
        fault(node, "below app there is only the table app.settings");
        continue;
      }
      for (const auto &[name, value] : *node.as_table()) {
        const auto text = value.value_exact<std::string>();
        if (!text) {
          fault(value, "app.settings." + std::string(name.str()) + ": expecting a string");
        } else {
          found_.app_settings.emplace_back(std::string(name.str()), *text);
        }
      }
    }
  }

  void fault(const toml::node &node, const std::string &what) { faults_.push_back(place_of(node, file_) + what); }

  const std::string &file_;
  FileSettings found_;
  std::vector<std::string> faults_;
};

}  // namespace

ConfigError::ConfigError(std::vector<std::string> all)
    : std::runtime_error(joined(all, "; ")), faults(std::move(all)) {}

FileSettings read_config_text(const std::string &text, const std::string &name) {
  try {
    const toml::table table = toml::parse(text);
    return Reader(name).read(table);
  } catch (const toml::parse_error &error) {
    throw ConfigError(
        {name + ", line " + std::to_string(error.source().begin.line) + ": " + std::string(error.description())});
  }
}

FileSettings read_config_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw ConfigError({"cannot read the file " + path});
  return read_config_text(std::string(std::istreambuf_iterator<char>(file), {}), path);
}

}  // namespace nexus::bridge
