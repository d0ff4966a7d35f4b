// Throughput of the text core on posts, in ASCII and in thirteen scripts and languages.
#include <benchmark/benchmark.h>

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/text/entities.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/normalize.hpp"
#include "core/text/stats.hpp"

using namespace nexus::text;

namespace {

/// The posts of a file, one in each line. The peers read the same files.
std::vector<std::string> posts(const char *file) {
  std::vector<std::string> lines;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  if (lines.empty()) throw std::runtime_error(std::string("run this in the top folder: no posts in ") + file);
  return lines;
}
const std::vector<std::string> kAscii = posts("test/bench/posts_ascii.txt");
const std::vector<std::string> kMixed = posts("test/bench/posts_mixed.txt");

template <class F>
void over_posts(benchmark::State &state, const std::vector<std::string> &posts, F &&run) {
  std::int64_t bytes = 0, count = 0;
  for (auto _ : state)
    for (const std::string &post : posts) {
      benchmark::DoNotOptimize(run(post));
      bytes += static_cast<std::int64_t>(post.size());
      ++count;
    }
  state.SetBytesProcessed(bytes);
  state.SetItemsProcessed(count);
}

void stats_of(benchmark::State &state, const std::vector<std::string> &posts) {
  over_posts(state, posts, [](const std::string &post) { return text_stats(post); });
}
void entities_of(benchmark::State &state, const std::vector<std::string> &posts, Dialect dialect) {
  over_posts(state, posts, [dialect](const std::string &post) { return entities(post, dialect).size(); });
}
void graphemes_of(benchmark::State &state, const std::vector<std::string> &posts) {
  over_posts(state, posts, [](const std::string &post) { return grapheme_count(post); });
}
void nfc_of(benchmark::State &state, const std::vector<std::string> &posts) {
  over_posts(state, posts, [](const std::string &post) { return nfc(post).size(); });
}

}  // namespace

BENCHMARK_CAPTURE(stats_of, ascii, kAscii);
BENCHMARK_CAPTURE(stats_of, mixed, kMixed);
BENCHMARK_CAPTURE(entities_of, x_ascii, kAscii, Dialect::x);
BENCHMARK_CAPTURE(entities_of, x_mixed, kMixed, Dialect::x);
BENCHMARK_CAPTURE(entities_of, bluesky_ascii, kAscii, Dialect::bluesky);
BENCHMARK_CAPTURE(entities_of, bluesky_mixed, kMixed, Dialect::bluesky);
BENCHMARK_CAPTURE(graphemes_of, ascii, kAscii);
BENCHMARK_CAPTURE(graphemes_of, mixed, kMixed);
BENCHMARK_CAPTURE(nfc_of, mixed, kMixed);
BENCHMARK_CAPTURE(entities_of, mastodon_ascii, kAscii, Dialect::mastodon);
BENCHMARK_CAPTURE(entities_of, mastodon_mixed, kMixed, Dialect::mastodon);
