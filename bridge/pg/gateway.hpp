#pragma once

#include "bridge/config/settings.hpp"
#include "bridge/http/handler.hpp"
#include "bridge/pg/keeper.hpp"
#include "bridge/pg/pool.hpp"

namespace nexus::bridge::pg {

/// The database behind the handlers: the pool runs plans, the keeper knows the schemas.
class Gateway : public Database {
 public:
  explicit Gateway(const Settings &settings);

  CataloguePtr catalogue() const override { return keeper_.current(); }
  CataloguePtr newer_catalogue(const CataloguePtr &seen) override { return keeper_.newer(seen); }
  void run(const Plan &plan, const std::function<void(CallResult)> &accept) override;
  bool ready() const override { return keeper_.ready(); }

  void reload() { keeper_.reload(); }
  void cancel_all() { pool_.cancel_all(); }

 private:
  void run_once(const Plan &plan, const std::function<void(CallResult)> &accept);

  const std::chrono::milliseconds statement_timeout_;
  Pool pool_;
  Keeper keeper_;
};

}  // namespace nexus::bridge::pg
