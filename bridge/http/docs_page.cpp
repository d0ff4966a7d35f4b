#include <algorithm>
#include <nlohmann/json.hpp>

#include "bridge/http/openapi.hpp"

namespace nexus::bridge {
namespace {

using nlohmann::json;

std::string escaped(const std::string &text) {
  std::string html;
  for (char c : text) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

// A schema in one line: `integer`, `text[]`, a link to an object.
std::string type_text(const json &schema) {
  if (const auto reference = schema.find("$ref"); reference != schema.end()) {
    const std::string path = *reference;
    const std::string name = path.substr(path.rfind('/') + 1);
    return "<a href=\"#" + escaped(name) + "\">" + escaped(name) + "</a>";
  }
  if (const auto choices = schema.find("anyOf"); choices != schema.end()) {
    std::string text;
    for (const auto &choice : *choices) text += (text.empty() ? "" : " | ") + type_text(choice);
    return text;
  }
  const auto type = schema.find("type");
  if (type == schema.end()) return "any JSON";
  std::string name;
  if (type->is_array()) {
    for (const auto &part : *type) name += (name.empty() ? "" : " | ") + part.get<std::string>();
  } else {
    name = *type;
  }
  if (schema.contains("items")) return "list of (" + type_text(schema["items"]) + ")";
  if (schema.contains("format")) name += " (" + schema["format"].get<std::string>() + ")";
  if (schema.contains("enum")) {
    std::string labels;
    for (const auto &label : schema["enum"]) labels += (labels.empty() ? "" : ", ") + label.get<std::string>();
    name += ": " + labels;
  }
  return escaped(name);
}

std::string members_table(const json &schema) {
  const auto properties = schema.find("properties");
  if (properties == schema.end() || properties->empty()) return "";
  const json required = schema.value("required", json::array());
  std::string html = "<table>";
  for (const auto &member : properties->items()) {
    const bool needed = std::find(required.begin(), required.end(), member.key()) != required.end();
    html += "<tr><td><code>" + escaped(member.key()) + "</code>" + (needed ? " *" : "") + "</td><td>" +
            type_text(member.value()) + "</td></tr>";
  }
  return html + "</table>";
}

std::string operation_section(const std::string &path, const json &item) {
  const json &post = item.at("post");
  std::string html = "<section id=\"" + escaped(path) + "\"><h3>" + (item.contains("get") ? "GET, POST " : "POST ") +
                     "<code>" + escaped(path) + "</code></h3><p>" + escaped(post.at("description")) + "</p>";
  const json &body = post.at("requestBody").at("content").at("application/json").at("schema");
  if (body.contains("anyOf")) {
    for (const auto &choice : body["anyOf"]) html += members_table(choice);
  } else {
    html += members_table(body);
  }
  const json &responses = post.at("responses");
  std::string answer = "nothing (204)";
  if (responses.contains("200")) answer = type_text(responses["200"]["content"]["application/json"]["schema"]);
  return html + "<p>Answer: " + answer + "</p></section>";
}

}  // namespace

std::string docs_page(const json &document) {
  const json &info = document.at("info");
  std::string html =
      "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>" +
      escaped(info.at("title")) +
      "</title><style>body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
      "table{border-collapse:collapse}td{border:1px solid #bbb;padding:.2rem .6rem}section{margin:2rem 0}"
      "h3{border-top:1px solid #ddd;padding-top:1rem}</style></head><body><h1>" +
      escaped(info.at("title")) + "</h1><p>" + escaped(info.at("description")) +
      "</p><p>Arguments marked * are required. The same as <a href=\"./\">an OpenAPI document</a>.</p><ul>";
  for (const auto &item : document.at("paths").items()) {
    html += "<li><a href=\"#" + escaped(item.key()) + "\">" + escaped(item.key()) + "</a></li>";
  }
  html += "</ul>";
  for (const auto &item : document.at("paths").items()) html += operation_section(item.key(), item.value());
  html += "<h2>Types</h2>";
  for (const auto &schema : document.at("components").at("schemas").items()) {
    html += "<section id=\"" + escaped(schema.key()) + "\"><h3>" + escaped(schema.key()) + "</h3>";
    const std::string members = members_table(schema.value());
    html += members.empty() ? "<p>" + type_text(schema.value()) + "</p>" : members;
    html += "</section>";
  }
  return html + "</body></html>\n";
}

}  // namespace nexus::bridge
