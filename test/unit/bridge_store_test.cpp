#include "bridge/media/store.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

namespace nexus::media {
namespace {

namespace fs = std::filesystem;
using Kind = StoreError::Kind;

const std::string kKey = "0123456789abcdef0123456789abcdef", kOther = "fedcba9876543210fedcba9876543210";

class DirectoryStoreTest : public testing::Test {
 protected:
  DirectoryStoreTest() {
    std::string name = (fs::temp_directory_path() / "nexus_store_XXXXXX").string();
    directory_ = mkdtemp(name.data());
    store_ = open_store({directory_});
  }
  ~DirectoryStoreTest() override { fs::remove_all(directory_); }

  template <typename Call>
  Kind kind_of(Call call) {
    try {
      call();
    } catch (const StoreError &error) {
      return error.kind;
    }
    ADD_FAILURE() << "nothing was thrown";
    return Kind::kFailed;
  }

  std::string directory_;
  std::unique_ptr<Store> store_;
};

TEST(Store, KnowsKeys) {
  EXPECT_TRUE(is_key(kKey));
  EXPECT_TRUE(is_key(kKey + "-thumb.jpg"));
  for (const std::string &text :
       {std::string(), kKey.substr(1), kKey + "/x", "../" + kKey, kKey + "-" + std::string(32, 'x'),
        "0123456789ABCDEF0123456789abcdef" + std::string(), kKey + " "}) {
    EXPECT_FALSE(is_key(text)) << text;
  }
}

TEST(Store, RefusesSettingsThatNameNone) {
  EXPECT_THROW(open_store({}), std::runtime_error);
  EXPECT_THROW(open_store({"media"}), std::runtime_error);
  EXPECT_THROW(open_store({"/proc/nexus"}), std::runtime_error);
  EXPECT_THROW(open_store({"s3://"}), std::runtime_error);
  EXPECT_THROW(open_store({"s3://bucket"}), std::runtime_error);  // no credentials
  EXPECT_THROW(open_store({"s3://bucket", "ftp://x", "", "k", "s"}), std::runtime_error);
  EXPECT_NO_THROW(open_store({"s3://bucket/prefix", "http://127.0.0.1:4568", "", "k", "s"}));
}

TEST_F(DirectoryStoreTest, GrowsAndBecomesWhole) {
  EXPECT_EQ(store_->part_size(kKey), std::nullopt);
  EXPECT_EQ(store_->size(kKey), std::nullopt);
  {
    auto part = store_->open_part(kKey);
    part->append("hello ");
    part->flush();
    EXPECT_EQ(kind_of([&] { store_->open_part(kKey); }), Kind::kBusy);
  }
  EXPECT_EQ(store_->part_size(kKey), 6U);
  EXPECT_EQ(kind_of([&] { store_->read(kKey, 0, 9); }), Kind::kMissing);
  auto part = store_->open_part(kKey);
  EXPECT_EQ(part->size(), 6U);
  part->append("world");
  part->finish();
  EXPECT_EQ(store_->size(kKey), 11U);
  EXPECT_EQ(store_->part_size(kKey), std::nullopt);
  EXPECT_EQ(store_->read(kKey, 6, 100), "world");
  EXPECT_EQ(store_->read(kKey, 11, 100), "");
  EXPECT_EQ(kind_of([&] { store_->open_part(kKey); }), Kind::kBusy);  // it is whole: there is nothing to write to
  EXPECT_EQ(store_->part_size(kKey), std::nullopt);
}

TEST_F(DirectoryStoreTest, ForgetsWhatIsDoubted) {
  {
    auto part = store_->open_part(kKey);
    part->append("sound");
    part->flush();
    part->doubt();
    part->append("rotten");
    part->discard();
    EXPECT_EQ(part->size(), 5U);
    part->doubt();
    part->append("!");
    part->flush();
    EXPECT_EQ(part->size(), 6U);
    part->doubt();
    part->append("lost when the process dies here");
  }
  EXPECT_EQ(store_->part_size(kKey), 6U);
  auto part = store_->open_part(kKey);
  EXPECT_EQ(part->size(), 6U);
  part->finish();
  EXPECT_EQ(store_->read(kKey, 0, 100), "sound!");
}

TEST_F(DirectoryStoreTest, KeepsWhatFitsOnAFullDisk) {
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  const rlimit small{1000, limit.rlim_max};
  auto part = store_->open_part(kKey);
  setrlimit(RLIMIT_FSIZE, &small);
  const Kind kind = kind_of([&] { part->append(std::string(1500, 'x')); });
  setrlimit(RLIMIT_FSIZE, &limit);
  std::signal(SIGXFSZ, before);
  EXPECT_EQ(kind, Kind::kNoSpace);
  EXPECT_EQ(part->size(), 1000U);
  part->append("y");
  part->finish();
  EXPECT_EQ(store_->read(kKey, 998, 10), "xxy");
  EXPECT_EQ(kind_of([&] { store_->expect(std::uint64_t{1} << 60); }), Kind::kNoSpace);
}

TEST_F(DirectoryStoreTest, PutsCopiesAndRemoves) {
  store_->put(kKey + "-thumb", "small");
  store_->put(kKey + "-thumb", "smaller");
  {
    const LocalCopy copy = store_->local_copy(kKey + "-thumb");
    std::ifstream file(copy.path());
    std::string text;
    file >> text;
    EXPECT_EQ(text, "smaller");
    EXPECT_GE(copy.fd(), 0);
  }
  store_->remove(kKey + "-thumb");
  store_->remove(kKey + "-thumb");
  EXPECT_EQ(kind_of([&] { store_->local_copy(kKey + "-thumb"); }), Kind::kMissing);
  store_->open_part(kKey)->append("x");
  store_->remove(kKey);
  EXPECT_EQ(store_->part_size(kKey), std::nullopt);
  EXPECT_EQ(kind_of([&] { store_->remove("../../etc/passwd"); }), Kind::kMissing);
}

TEST_F(DirectoryStoreTest, NamesWhatIsOld) {
  store_->put(kKey, "a");
  store_->put(kKey + "-thumb", "b");
  store_->open_part(kOther)->append("c");
  std::ofstream(directory_ + "/objects/stray") << "no key";
  EXPECT_TRUE(store_->stale(std::chrono::hours(1), "", 10).empty());
  const std::vector<std::string> all{kKey, kKey + "-thumb", kOther};
  EXPECT_EQ(store_->stale(std::chrono::seconds(-1), "", 10), all);
  EXPECT_EQ(store_->stale(std::chrono::seconds(-1), "", 1), std::vector<std::string>{kKey});
  EXPECT_EQ(store_->stale(std::chrono::seconds(-1), kKey, 10), (std::vector<std::string>{kKey + "-thumb", kOther}));
  EXPECT_TRUE(store_->stale(std::chrono::seconds(-1), kOther, 10).empty());
}

TEST_F(DirectoryStoreTest, RemovesWhatACrashLeft) {
  const std::string object = directory_ + "/objects/01/" + kKey + ".new";
  const std::string good = directory_ + "/parts/" + kKey + ".good.new";
  fs::create_directories(fs::path(object).parent_path());
  std::ofstream(object) << "half of it";
  std::ofstream(good) << "1";
  EXPECT_EQ(store_->stale(std::chrono::seconds(-1), "", 10), std::vector<std::string>{kKey});
  store_->remove(kKey);
  EXPECT_FALSE(fs::exists(object));
  EXPECT_FALSE(fs::exists(good));
}

}  // namespace
}  // namespace nexus::media
