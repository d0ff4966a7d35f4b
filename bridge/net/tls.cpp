#include "bridge/net/tls.hpp"

#include <stdexcept>

namespace nexus::bridge::net {

std::shared_ptr<boost::asio::ssl::context> make_tls(const std::string &certificate, const std::string &key) {
  if (certificate.empty() && key.empty()) return nullptr;
  if (certificate.empty() || key.empty()) throw std::runtime_error("one needs the other");
  auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_server);
  context->set_options(boost::asio::ssl::context::no_tlsv1 | boost::asio::ssl::context::no_tlsv1_1);
  context->use_certificate_chain_file(certificate);
  context->use_private_key_file(key, boost::asio::ssl::context::pem);
  if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
    throw std::runtime_error("the key is not that of the certificate");
  }
  return context;
}

}  // namespace nexus::bridge::net
