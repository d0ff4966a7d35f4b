#include "core/jsonschema/uri.hpp"

#include <optional>

namespace nexus::jsonschema {

namespace {

struct Parts {
  std::optional<std::string_view> scheme, authority, query;
  std::string_view path;
};

Parts parts_of(std::string_view uri) {
  Parts parts;
  std::size_t end = uri.find_first_of(":/?");
  if (end != std::string_view::npos && end > 0 && uri[end] == ':') {
    parts.scheme = uri.substr(0, end);
    uri.remove_prefix(end + 1);
  }
  if (uri.substr(0, 2) == "//") {
    end = uri.find_first_of("/?", 2);
    if (end == std::string_view::npos) end = uri.size();
    parts.authority = uri.substr(2, end - 2);
    uri.remove_prefix(end);
  }
  end = uri.find('?');
  parts.path = uri.substr(0, end);
  if (end != std::string_view::npos) parts.query = uri.substr(end + 1);
  return parts;
}

std::string without_dots(std::string_view path) {
  std::string out;
  std::size_t at = 0;
  while (at < path.size()) {
    std::size_t start = path[at] == '/' ? at + 1 : at;
    std::size_t end = path.find('/', start);
    bool last = end == std::string_view::npos;
    if (last) end = path.size();
    std::string_view segment = path.substr(start, end - start);
    if (segment == "..") {
      out.resize(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
      if (last) out += '/';
    } else if (segment == ".") {
      if (last) out += '/';
    } else {
      out += path.substr(at, end - at);
    }
    at = end;
  }
  return out;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::pair<std::string_view, std::string> split_fragment(std::string_view reference) {
  std::size_t sign = reference.find('#');
  if (sign == std::string_view::npos) return {reference, {}};
  std::string fragment;
  for (std::size_t i = sign + 1; i < reference.size(); ++i) {
    if (reference[i] == '%' && i + 2 < reference.size() && hex(reference[i + 1]) >= 0 && hex(reference[i + 2]) >= 0) {
      fragment += static_cast<char>(hex(reference[i + 1]) * 16 + hex(reference[i + 2]));
      i += 2;
    } else {
      fragment += reference[i];
    }
  }
  return {reference.substr(0, sign), std::move(fragment)};
}

std::string resolve(std::string_view base, std::string_view reference) {
  if (reference.empty()) return std::string(base);
  Parts b = parts_of(base), r = parts_of(reference), t = r;
  std::string path;
  if (r.scheme || r.authority) {
    if (!r.scheme) t.scheme = b.scheme;
    path = without_dots(r.path);
  } else {
    t.scheme = b.scheme;
    t.authority = b.authority;
    if (r.path.empty()) {
      path = b.path;
      if (!r.query) t.query = b.query;
    } else if (r.path.front() == '/') {
      path = without_dots(r.path);
    } else {
      std::size_t slash = b.path.rfind('/');
      if (slash != std::string_view::npos) path = b.path.substr(0, slash + 1);
      if (path.empty() && b.authority) path = "/";
      path = without_dots(path.append(r.path));
    }
  }
  std::string uri;
  if (t.scheme) uri.append(*t.scheme).append(":");
  if (t.authority) uri.append("//").append(*t.authority);
  uri += path;
  if (t.query) uri.append("?").append(*t.query);
  return uri;
}

}  // namespace nexus::jsonschema
