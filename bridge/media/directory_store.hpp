#pragma once

#include "bridge/media/store.hpp"

namespace nexus::media {

/// Objects as files of a directory: objects/ab/ab12... are whole ones, parts/ab12... are uploads. An upload grows in
/// place and is renamed when it is whole, so that no reader ever sees half of one; flock() keeps a second writer off,
/// also one of another process, and ends with the process that holds it.
class DirectoryStore : public Store {
 public:
  /// Makes the directories. Throws std::runtime_error.
  explicit DirectoryStore(std::string directory);

  std::unique_ptr<Part> open_part(const std::string &key) override;
  std::optional<std::uint64_t> part_size(const std::string &key) override;
  std::optional<std::uint64_t> size(const std::string &key) override;
  std::string read(const std::string &key, std::uint64_t first, std::size_t count) override;
  void put(const std::string &key, std::string_view bytes) override;
  void remove(const std::string &key) override;
  std::vector<std::string> stale(std::chrono::seconds age, const std::string &after, std::size_t max) override;
  LocalCopy local_copy(const std::string &key) override;
  void expect(std::uint64_t bytes) override;

 private:
  std::string object_path(const std::string &key) const;
  std::string part_path(const std::string &key) const;

  std::string directory_;
};

}  // namespace nexus::media
