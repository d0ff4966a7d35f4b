#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "bridge/config/load.hpp"
#include "bridge/config/setting_table.hpp"

namespace nexus::bridge {
namespace {

class BridgeConfig : public testing::Test {
 protected:
  ~BridgeConfig() override {
    for (const auto &name : variables_) unsetenv(name.c_str());
    std::remove(path_.c_str());
  }

  void environment(const std::string &name, const std::string &value) {
    variables_.push_back(name);
    setenv(name.c_str(), value.c_str(), 1);
  }

  std::string file(const std::string &text) {
    std::ofstream(path_) << text;
    return path_;
  }

  static Loaded load(std::vector<const char *> flags) {
    flags.insert(flags.begin(), "creatornexus-bridge");
    return load_settings(static_cast<int>(flags.size()), flags.data());
  }

  static std::string fault(const std::vector<const char *> &flags) {
    try {
      load(flags);
    } catch (const ConfigError &error) {
      return error.what();
    }
    return "";
  }

 private:
  std::vector<std::string> variables_;
  std::string path_ = testing::TempDir() + "nexus_bridge_config_test.toml";
};

TEST_F(BridgeConfig, EverySettingReadsWhatItShows) {
  for (const auto &setting : setting_table()) {
    const Settings defaults;
    Settings settings;
    if (!setting.secret) setting.set(settings, setting.get(defaults));
    EXPECT_EQ(setting.get(settings), setting.get(defaults)) << setting.name;
    EXPECT_EQ(find_setting(setting.name), &setting);
    EXPECT_EQ(setting.variable().substr(0, 6), "NEXUS_");
  }
}

TEST_F(BridgeConfig, FlagsOverEnvironmentOverFile) {
  const std::string path =
      file("db-pool = 3\nserver-port = 4000\nlog-level = \"warn\"\n[app.settings]\nhost = \"h\"\n");
  environment("NEXUS_CONFIG", path);
  environment("NEXUS_SERVER_PORT", "4001");
  environment("NEXUS_LOG_LEVEL", "error");
  environment("NEXUS_DB_ANON_ROLE", "");
  const Settings settings = load({"--log-level", "debug", "--reuse-port"}).settings;
  EXPECT_EQ(settings.db_pool, 3);
  EXPECT_EQ(settings.server_port, 4001);
  EXPECT_EQ(settings.log_level, "debug");
  EXPECT_TRUE(settings.reuse_port);
  EXPECT_EQ(settings.sources.at("db-pool"), "file");
  EXPECT_EQ(settings.sources.at("server-port"), "environment");
  EXPECT_EQ(settings.sources.at("log-level"), "flag");
  EXPECT_EQ(settings.sources.count("db-anon-role"), 0U);
  ASSERT_EQ(settings.app_settings.size(), 1U);
  EXPECT_EQ(settings.app_settings[0], std::make_pair(std::string("host"), std::string("h")));
}

TEST_F(BridgeConfig, WhatIsUnknownIsNamed) {
  EXPECT_NE(fault({"--db-pol", "3"}).find("there is no flag --db-pol, did you mean \"db-pool\"?"), std::string::npos);
  EXPECT_NE(fault({"nonsense"}).find("unexpected argument \"nonsense\""), std::string::npos);
  const std::string path = file("db-pool = 3\nservr-port = 1\n[app]\nx = 1\n");
  const std::string both = fault({"--config", path.c_str()});
  EXPECT_NE(both.find("line 2: there is no setting \"servr-port\", did you mean \"server-port\"?"), std::string::npos)
      << both;
  EXPECT_NE(both.find("below app there is only the table app.settings"), std::string::npos) << both;
  environment("NEXUS_DB_POOOL", "3");
  environment("NEXUS_XYZZY", "3");
  const auto warnings = load({}).warnings;
  ASSERT_EQ(warnings.size(), 1U);
  EXPECT_NE(warnings[0].find("NEXUS_DB_POOOL"), std::string::npos);
}

TEST_F(BridgeConfig, WrongValuesSayWhatIsExpected) {
  const auto of_file = [&](const std::string &text) { return fault({"--config", file(text).c_str()}); };
  EXPECT_NE(fault({"--db-pool", "0"}).find("--db-pool: expecting a whole number, 1 to 1000"), std::string::npos);
  EXPECT_NE(fault({"--db-pool", "3x"}).find("expecting a whole number"), std::string::npos);
  EXPECT_NE(fault({"--db-pool", "3.5"}).find("expecting a whole number"), std::string::npos);
  EXPECT_NE(fault({"--rate-limit-user", "nan"}).find("expecting a number"), std::string::npos);
  EXPECT_NE(fault({"--log-level", "loud"}).find("debug | info | warn | error"), std::string::npos);
  EXPECT_NE(of_file("db-pool = \"3\"\n").find("line 1: db-pool: expecting a number"), std::string::npos);
  EXPECT_NE(of_file("server-host = 3\n").find("expecting a string"), std::string::npos);
  EXPECT_NE(of_file("db-schemas = [\"a,b\"]\n").find("an array of strings without commas"), std::string::npos);
  EXPECT_NE(of_file("reuse-port = \"yes\"\n").find("true or false"), std::string::npos);
  EXPECT_NE(of_file("db-pool = \n").find("line 1"), std::string::npos);
  EXPECT_NE(of_file("db-schemas = []\n").find("at least one schema"), std::string::npos);
  EXPECT_NE(fault({"--config", "/nonexistent/x.toml"}).find("cannot read the file"), std::string::npos);
  EXPECT_NE(fault({"--jwt-secret", "short"}).find("jwt-secret: "), std::string::npos);
  EXPECT_NE(fault({"--server-tls-key", "k.pem"}).find("one needs the other"), std::string::npos);
}

TEST_F(BridgeConfig, TheDumpIsAConfigurationWithoutSecrets) {
  const char *secret = "a-secret-that-is-for-tests-alone-0123456789";
  const Settings settings = load({"--jwt-secret", secret, "--db-uri", "postgresql://u:hidden@h/d", "--db-schemas",
                                  "api, \"odd", "--url-prefix", "/rest\\v1"})
                                .settings;
  const std::string dump = dump_settings(settings);
  EXPECT_EQ(dump.find(secret), std::string::npos);
  EXPECT_EQ(dump.find("hidden"), std::string::npos);
  EXPECT_NE(dump.find("# jwt-secret is a secret  # flag\n"), std::string::npos) << dump;
  EXPECT_NE(dump.find("db-schemas = [\"api\", \"\\\"odd\"]  # flag\n"), std::string::npos) << dump;
  const Settings again = load({"--config", file(dump).c_str()}).settings;
  for (const auto &setting : setting_table()) {
    if (setting.secret) continue;
    EXPECT_EQ(setting.get(again), setting.get(settings)) << setting.name;
  }
}

TEST_F(BridgeConfig, AReloadKeepsWhatNeedsARestart) {
  Settings running, fresh;
  fresh.db_pool = 3;
  fresh.sources["db-pool"] = "file";
  fresh.log_level = "debug";
  fresh.server_tls_certificate = "c.pem";
  const auto kept = keep_what_needs_restart(running, fresh);
  EXPECT_EQ(kept, (std::vector<std::string>{"db-pool", "server-tls-certificate"}));
  EXPECT_EQ(fresh.db_pool, running.db_pool);
  EXPECT_EQ(fresh.sources.count("db-pool"), 0U);
  EXPECT_EQ(fresh.log_level, "debug");
  running.server_tls_certificate = "old.pem";
  fresh.server_tls_certificate = "new.pem";
  EXPECT_TRUE(keep_what_needs_restart(running, fresh).empty());
  EXPECT_EQ(fresh.server_tls_certificate, "new.pem");
}

}  // namespace
}  // namespace nexus::bridge
