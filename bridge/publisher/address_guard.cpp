#include "bridge/publisher/address_guard.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace nexus::publisher {
namespace {

bool within(const Address &address, const Address &network, int bits) {
  const int whole = bits / 8;
  if (!std::equal(network.begin(), network.begin() + whole, address.begin())) return false;
  if (bits % 8 == 0) return true;
  const int mask = (0xff00 >> (bits % 8)) & 0xff;
  return ((network[whole] ^ address[whole]) & mask) == 0;
}

struct Special {
  const char *address;
  int bits;  // of the 128
};

// Not globally reachable, or a way around this list (mapped, translated and tunnelled addresses).
constexpr Special kSpecial[] = {
    {"0.0.0.0", 96 + 8},      {"10.0.0.0", 96 + 8},     {"100.64.0.0", 96 + 10}, {"127.0.0.0", 96 + 8},
    {"169.254.0.0", 96 + 16}, {"172.16.0.0", 96 + 12},  {"192.0.0.0", 96 + 24},  {"192.0.2.0", 96 + 24},
    {"192.88.99.0", 96 + 24}, {"192.168.0.0", 96 + 16}, {"198.18.0.0", 96 + 15}, {"198.51.100.0", 96 + 24},
    {"203.0.113.0", 96 + 24}, {"224.0.0.0", 96 + 4},    {"240.0.0.0", 96 + 4},
};

std::string numeric(const sockaddr *address, socklen_t length) {
  char text[NI_MAXHOST];
  if (getnameinfo(address, length, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) return "";
  return text;
}

std::optional<Address> bytes_of(const sockaddr *address) {
  Address bytes{};
  if (address->sa_family == AF_INET) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &reinterpret_cast<const sockaddr_in *>(address)->sin_addr, 4);
  } else if (address->sa_family == AF_INET6) {
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6 *>(address)->sin6_addr, 16);
  } else {
    return std::nullopt;
  }
  return bytes;
}

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string Url::authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? "443" : "80")) text += ":" + port;
  return text;
}

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  if (text.size() > 2048) return std::nullopt;
  for (char c : text) {
    if (c <= ' ' || c == '\x7f' || c == '\\' || c == '"' || c == '<' || c == '>' || c == '#') return std::nullopt;
  }
  if (text.substr(0, 8) == "https://") {
    text.remove_prefix(8);
  } else if (text.substr(0, 7) == "http://") {
    url.tls = false;
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  const std::size_t end = std::min(text.find_first_of("/?"), text.size());
  std::string_view authority = text.substr(0, end);
  url.target = std::string(text.substr(end));
  if (url.target.empty() || url.target.front() == '?') url.target.insert(url.target.begin(), '/');
  if (authority.find('@') != std::string_view::npos) return std::nullopt;
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    url.host = std::string(authority.substr(1, close - 1));
    if (!parse_address(url.host) || url.host.find(':') == std::string::npos) return std::nullopt;
    port = authority.substr(close + 1);
    if (!port.empty() && port.front() != ':') return std::nullopt;
    if (!port.empty()) port.remove_prefix(1);
  } else {
    const std::size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
    for (char &c : url.host) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
      const bool good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
      if (!good) return std::nullopt;
    }
  }
  if (url.host.empty() || url.host.size() > 253) return std::nullopt;
  url.port = port.empty() ? (url.tls ? "443" : "80") : std::string(port);
  if (!is_digits(url.port) || url.port.size() > 5 || std::stoi(url.port) < 1 || std::stoi(url.port) > 65535) {
    return std::nullopt;
  }
  return url;
}

std::optional<Address> parse_address(const std::string &text) {
  Address bytes{};
  in_addr four{};
  if (inet_pton(AF_INET, text.c_str(), &four) == 1) {
    bytes[10] = bytes[11] = 0xff;
    std::memcpy(bytes.data() + 12, &four, 4);
    return bytes;
  }
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return bytes;
  return std::nullopt;
}

AddressGuard::AddressGuard(const std::vector<std::string> &allowed) {
  for (const std::string &text : allowed) {
    const std::size_t slash = text.find('/');
    const std::string host = text.substr(0, slash);
    const auto address = parse_address(host);
    const int width = host.find(':') == std::string::npos ? 32 : 128;
    const std::string bits = slash == std::string::npos ? std::to_string(width) : text.substr(slash + 1);
    if (!address || !is_digits(bits) || bits.size() > 3 || std::stoi(bits) > width) {
      throw std::invalid_argument("\"" + text + "\" is no network such as 127.0.0.0/8");
    }
    allowed_.push_back({*address, std::stoi(bits) + (128 - width)});
  }
}

bool AddressGuard::is_allowed(const Address &address) const {
  return std::any_of(allowed_.begin(), allowed_.end(),
                     [&](const Network &network) { return within(address, network.address, network.bits); });
}

bool AddressGuard::is_public(const Address &address) {
  Address mapped{};
  mapped[10] = mapped[11] = 0xff;
  if (within(address, mapped, 96)) {
    return std::none_of(std::begin(kSpecial), std::end(kSpecial), [&](const Special &special) {
      return within(address, *parse_address(special.address), special.bits);
    });
  }
  // Of IPv6 only global unicast (2000::/3), without Teredo, 6to4, documentation and benchmarks.
  if (!within(address, *parse_address("2000::"), 3)) return false;
  return !within(address, *parse_address("2001::"), 23) && !within(address, *parse_address("2001:db8::"), 32) &&
         !within(address, *parse_address("2002::"), 16) && !within(address, *parse_address("3fff::"), 20);
}

AddressGuard::Checked AddressGuard::check(const Url &url) const {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  const int error = getaddrinfo(url.host.c_str(), url.port.c_str(), &hints, &found);
  if (error != 0) return {"", url.host + " cannot be resolved: " + gai_strerror(error), false};
  const std::unique_ptr<addrinfo, void (*)(addrinfo *)> list(found, freeaddrinfo);
  std::string chosen;
  for (const addrinfo *one = found; one != nullptr; one = one->ai_next) {
    const auto bytes = bytes_of(one->ai_addr);
    if (!bytes) continue;
    const bool allowed = is_allowed(*bytes);
    // One address that is not allowed spoils the name: nobody lists a public and a private one in good faith.
    if (!allowed && !is_public(*bytes)) {
      return {"", url.host + " is an address of a private network", true};
    }
    if (!allowed && !url.tls) return {"", "plain HTTP is refused: " + url.host + " must be reached by https", true};
    if (chosen.empty()) chosen = numeric(one->ai_addr, one->ai_addrlen);
  }
  if (chosen.empty()) return {"", url.host + " has no address", false};
  return {chosen, "", false};
}

}  // namespace nexus::publisher
