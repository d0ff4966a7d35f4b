#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nexus::publisher {

/// An http or https address, taken apart.
struct Url {
  bool tls = true;
  std::string host;    ///< in lower case, an IPv6 address without its brackets
  std::string port;    ///< in digits
  std::string target;  ///< path and query, from '/'

  /// As the Host header wants it.
  std::string authority() const;
};

/// Nothing for anything else: other schemes, user names, fragments, characters that do not belong there.
///
///     parse_url("https://example.org/hook?x=1")->target == "/hook?x=1"
std::optional<Url> parse_url(std::string_view text);

/// An address of either family as 16 bytes; IPv4 ones are mapped (::ffff:a.b.c.d).
using Address = std::array<std::uint8_t, 16>;
std::optional<Address> parse_address(const std::string &text);

/// Which addresses may be connected to. What users wrote down must not reach into private networks, so all that is not
/// public is refused, unless the operator allows the network. Plain HTTP goes to allowed networks only.
class AddressGuard {
 public:
  /// `allowed`: networks such as 127.0.0.0/8 or ::1/128. Throws std::invalid_argument.
  explicit AddressGuard(const std::vector<std::string> &allowed = {});

  /// A checked address, in numbers: resolved once, and what is connected to is what was checked.
  struct Checked {
    std::string address;  ///< empty: refused or not found
    std::string reason;
    bool refused = false;  ///< by rule; otherwise it could not be resolved
  };
  Checked check(const Url &url) const;

  /// Whether an address is a public one (RFC 6890 and the registries of special-purpose addresses).
  static bool is_public(const Address &address);

 private:
  struct Network {
    Address address;
    int bits;
  };
  bool is_allowed(const Address &address) const;
  std::vector<Network> allowed_;
};

}  // namespace nexus::publisher
