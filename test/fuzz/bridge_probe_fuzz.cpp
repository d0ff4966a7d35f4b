// A file of any bytes: the prober says what it is or why it is refused, and what it says is a verdict. Its corpus
// begins with small files of each kind, which scripts/fuzz.sh makes.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

extern "C" {
#include <libavutil/log.h>
#include <libavutil/mem.h>
}

#include "bridge/probe/measure.hpp"
#include "bridge/probe/structure.hpp"

using namespace nexus::probe;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

Limits small() {
  Limits limits;
  limits.max_pixels = limits.max_video_pixels = 1 << 18;
  limits.max_animation_pixels = 1 << 20;
  limits.max_frames = 50;
  limits.max_packets = 5000;
  limits.max_duration = 600;
  return limits;
}

template <typename F>
void outline(const F &f) {
  try {
    f();
  } catch (const Refused &) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  static const Magic magic;
  static const bool quiet = (av_log_set_level(AV_LOG_QUIET), av_max_alloc(std::size_t{64} << 20), true);
  static const Limits limits = small();
  (void)quiet;
  const std::string claim(reinterpret_cast<const char *>(data), size < 20 ? size : 20);
  (void)contradiction({claim, claim}, "image/png");
  (void)read_verdict({reinterpret_cast<const char *>(data), size});
  (void)exif_orientation(data, size);
  if (size > 8) {
    outline([&] { outline_of_jpeg(data, size); });
    outline([&] { outline_of_png(data, size); });
    outline([&] { outline_of_gif(data, size); });
  }
  for (const Family family : {Family::kIsoMedia, Family::kHeif, Family::kMatroska, Family::kWav, Family::kOgg}) {
    outline([&] {
      const Input input(data, size);
      check_container(family, input);
      check_polyglot(family, input, static_cast<std::int64_t>(size / 2));
    });
  }
  std::string thumbnail;
  try {
    Input input(data, size);
    const Verdict verdict = measure(magic, input, {}, limits, [&](const std::string &bytes) { thumbnail = bytes; });
    const auto said = read_verdict(to_json(verdict).dump());
    require(said.has_value() && to_json(*said) == to_json(verdict));
    if (const auto *facts = std::get_if<Facts>(&verdict)) {
      require(facts->file_size == static_cast<std::int64_t>(size) && find_type(facts->mime_type) != nullptr);
      require(!facts->thumbnail || static_cast<std::int64_t>(thumbnail.size()) == facts->thumbnail->file_size);
      require(!facts->width || *facts->width <= 10 * limits.max_video_pixels);
    }
  } catch (const std::bad_alloc &) {  // in the probe, a verdict
  } catch (const std::runtime_error &) {
  }
  return 0;
}
