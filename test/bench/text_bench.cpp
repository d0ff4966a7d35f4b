// Throughput of the text core on posts: ASCII, mixed scripts, and the texts that are hard on regular expressions.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/text/entities.hpp"
#include "core/text/graphemes.hpp"
#include "core/text/normalize.hpp"
#include "core/text/stats.hpp"

using namespace nexus::text;

namespace {

const std::vector<std::string> kAscii = {
    "Five things I wish I had known before my first live session: light, sound, a second battery, patience. #learning",
    "New video is up: how we cut a two hour interview down to three minutes, step by step "
    "https://example.com/watch?v=1 "
    "with @editor_ann and the whole crew #editing #video",
    "Thank you all for 10,000 followers. Next week there will be a giveaway, so stay tuned and tell a friend about it.",
    "$AAPL and the others aside, the best investment was a good microphone. See the list at example.com/gear, or ask "
    "@sound/gear-list for more."};
const std::vector<std::string> kMixed = {
    "Cafe\u0301 in der Straße, gleich früh um sieben ☕ schöne Grüße #CaféLife",
    "今日の散歩と動画編集、ありがとう 🎬 #動画編集 https://example.com/あ @tokyo_walk",
    "오늘 촬영 장비 소개합니다 📷 많이 봐주세요 #촬영 example.com 그리고 #일상",
    "नमस्ते दोस्तों, आज का वीडियो ज़रूर देखें "
    "🙏🏽 "
    "#हिन्दी",
    "اليوم فيديو جديد، شكرا لكم جميعا 🤲🏼 #تصوير https://t.co/abc123",
    "Family 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪 1️⃣ ❤️ thanks to everyone! @ann @bob #family",
};

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

/// 1 MB of one piece repeated.
void hostile(benchmark::State &state, const char *piece) {
  std::string text;
  while (text.size() < 1'000'000) text += piece;
  for (auto _ : state) {
    benchmark::DoNotOptimize(entities(text, Dialect::x).size());
    benchmark::DoNotOptimize(text_stats(text));
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
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
BENCHMARK_CAPTURE(hostile, hashes, "#")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hostile, ats, "@")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hostile, labels, "a.")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hostile, protocols, "http://")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hostile, parentheses, "t.co/(")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hostile, domains, "a_b.com.")->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(hostile, marks, "\u0301\u0323")->Unit(benchmark::kMillisecond);
