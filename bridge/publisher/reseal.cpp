#include "bridge/publisher/reseal.hpp"

#include <spdlog/spdlog.h>

#include "bridge/publisher/adapter.hpp"

namespace nexus::publisher {
namespace {

Value text_or_null(const std::string &text) {
  return text.empty() ? std::nullopt : Value(text);
}

}  // namespace

Resealed reseal(Database &database, const Sealer &sealer, int batch) {
  Resealed done;
  std::string after = "0";
  for (;;) {
    const auto rows =
        database.run("SELECT nexus.accounts_to_reseal($1, $2, $3)", {sealer.key_id(), after, std::to_string(batch)});
    if (rows.empty()) return done;
    for (const Row &row : rows) {
      const Json account = Json::parse(row.at(0).value());
      after = std::to_string(account.at("id").get<int>());
      const std::string access = text_of(account, "access_token"), refresh = text_of(account, "refresh_token");
      const auto fresh = [&](const std::string &sealed, const char *column) {
        const auto context =
            Sealer::token_context(text_of(account, "platform"), text_of(account, "account_id"), column);
        return sealed.empty() ? std::string() : sealer.seal(sealer.open(sealed, context), context);
      };
      try {
        database.run("SELECT nexus.reseal_account($1, $2, $3, $4, $5)",
                     {after, text_or_null(access), text_or_null(refresh), text_or_null(fresh(access, "access_token")),
                      text_or_null(fresh(refresh, "refresh_token"))});
        ++done.accounts;
      } catch (const SealError &error) {
        ++done.unopened;
        spdlog::error("account {}: {}", after, error.what());
      }
    }
    spdlog::info("{} accounts sealed with key {}, {} could not be opened", done.accounts, sealer.key_id(),
                 done.unopened);
  }
}

}  // namespace nexus::publisher
