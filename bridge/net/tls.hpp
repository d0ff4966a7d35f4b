#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

namespace nexus::bridge::net {

/// TLS 1.2 and later, with OpenSSL's own choice of ciphers; null without a certificate. Both are files in PEM. Throws
/// std::exception where they do not serve, or do not belong together.
std::shared_ptr<boost::asio::ssl::context> make_tls(const std::string &certificate, const std::string &key);

}  // namespace nexus::bridge::net
