#include <gtest/gtest.h>

#include <csignal>

#include "bridge/media_worker/probe_run.hpp"
#include "bridge/probe/media_types.hpp"
#include "bridge/probe/verdict.hpp"

namespace {

using namespace nexus::probe;
using nexus::media_worker::ProbeRun;
using nexus::media_worker::read_end;

const std::string kHash(64, 'a');

nlohmann::json facts() {
  return {{"mime_type", "image/png"},
          {"media_type", "image"},
          {"file_size", 10},
          {"sha256", kHash},
          {"width", 3},
          {"height", 2}};
}

TEST(ProbeVerdict, ComesBackAsItWent) {
  Facts facts;
  facts.mime_type = "video/mp4";
  facts.media_type = "video";
  facts.file_size = 123456789012;
  facts.sha256 = kHash;
  facts.width = 1920;
  facts.height = 1080;
  facts.duration = 60.2;
  facts.codec = "h264";
  facts.audio_codec = "aac";
  facts.frame_rate = 29.97;
  facts.thumbnail = Thumbnail{480, 270, 9000};
  const auto json = to_json(facts);
  const auto verdict = read_verdict(json.dump());
  ASSERT_TRUE(verdict);
  EXPECT_EQ(to_json(*verdict), json);
  EXPECT_EQ(std::get<Facts>(*verdict).duration, 60.2);
  const auto refusal = read_verdict(to_json(Refusal{kCorrupt, "the PNG is cut off"}).dump());
  ASSERT_TRUE(refusal);
  EXPECT_EQ(std::get<Refusal>(*refusal).reason, "the PNG is cut off");
}

TEST(ProbeVerdict, IsTakenInItsShapeOnly) {
  EXPECT_TRUE(read_verdict(facts().dump()));
  for (const char *text :
       {"", "{", "null", "[]", "{}", "7", R"({"refused": "media.corrupt"})", R"({"refused": 3, "reason": "x"})",
        R"({"refused": "media.own_words", "reason": "x"})", R"({"refused": "media.corrupt", "reason": ""})",
        R"({"refused": "media.corrupt", "reason": "x", "more": 1})",
        R"({"refused": "media.corrupt", "reason": "a\u001bb"})"}) {
    EXPECT_FALSE(read_verdict(text)) << text;
  }
  const std::vector<std::pair<const char *, nlohmann::json>> wrong{{"mime_type", 1},
                                                                   {"mime_type", "b\xc3\xa4"},
                                                                   {"media_type", "page"},
                                                                   {"file_size", 0},
                                                                   {"file_size", 1e3},
                                                                   {"sha256", "ab"},
                                                                   {"sha256", std::string(64, 'G')},
                                                                   {"width", 0},
                                                                   {"width", "3"},
                                                                   {"width", std::uint64_t{1} << 63},
                                                                   {"duration", -1.0},
                                                                   {"duration", 1e12},
                                                                   {"duration", nullptr},
                                                                   {"own", 1},
                                                                   {"thumbnail", 1},
                                                                   {"thumbnail", {{"width", 1}, {"height", 1}}},
                                                                   {"pages", 0},
                                                                   {"codec", std::string(300, 'x')}};
  for (const auto &[name, value] : wrong) {
    auto json = facts();
    json[name] = value;
    EXPECT_FALSE(read_verdict(json.dump())) << name << ' ' << value;
  }
  for (const char *name : {"mime_type", "media_type", "file_size", "sha256", "width", "height"}) {
    auto json = facts();
    json.erase(name);
    EXPECT_FALSE(read_verdict(json.dump())) << name;
  }
  auto large = facts();
  large["codec"] = std::string(20000, 'x');
  EXPECT_FALSE(read_verdict(large.dump()));
}

TEST(ProbeVerdict, ReasonsArePrintable) {
  EXPECT_EQ(printable("a\nb\x7f\xc3\xa4"), "a?b???");
  EXPECT_EQ(printable(std::string(500, 'x')).size(), 200U);
}

TEST(ProbeTypes, KnowsOtherNames) {
  EXPECT_EQ(find_type("audio/x-wav")->mime, "audio/wav");
  EXPECT_EQ(find_type("image/gif")->media_type, "gif");
  EXPECT_EQ(find_type("image/apng")->mime, "image/png");
  EXPECT_EQ(find_type("image/svg+xml"), nullptr);
  EXPECT_EQ(find_type(""), nullptr);
}

TEST(ProbeTypes, ToldLiesApart) {
  EXPECT_FALSE(contradiction({"", ""}, "image/png"));
  EXPECT_FALSE(contradiction({"image/jpg; q=1", "Photo.JPEG"}, "image/jpeg"));
  EXPECT_FALSE(contradiction({"application/octet-stream", "clip"}, "video/mp4"));
  EXPECT_FALSE(contradiction({"video/mp4", "clip.mov"}, "video/quicktime")) << "one family";
  EXPECT_FALSE(contradiction({"video/webm", "voice.weba"}, "video/webm"));
  EXPECT_FALSE(contradiction({"", "screenshot 10.15"}, "image/png")) << "no ending that is known";
  EXPECT_FALSE(contradiction({"text/html", "a.html"}, "text/html")) << "true, if of no use";
  EXPECT_EQ(*contradiction({"", "photo.jpg"}, "image/webp"),
            "the name photo.jpg says image/jpeg, the content is image/webp");
  EXPECT_EQ(*contradiction({"image/png", "x"}, "image/gif"),
            "the declared type is image/png, the content is image/gif");
  EXPECT_TRUE(contradiction({"image/png", "x.exe"}, "image/png"));
  EXPECT_TRUE(contradiction({"own/type", ""}, "image/png"));
  EXPECT_TRUE(contradiction({"", "clip.mp4"}, "text/plain"));
  EXPECT_TRUE(contradiction({"", "a.png"}, "image/jpeg"));
}

std::string end(int status, const std::string &output = "") {
  const ProbeRun run = read_end(status, output, "said");
  if (run.kind == ProbeRun::Kind::kFailed) return run.message;
  const auto *refusal = std::get_if<Refusal>(&run.verdict);
  return refusal == nullptr ? "facts" : refusal->code + ": " + refusal->reason;
}

TEST(ProbeRun, EndsAreVerdictsOrFailures) {
  const auto exited = [](int code) { return code << 8; };
  EXPECT_EQ(end(exited(0), facts().dump() + "\n"), "facts");
  EXPECT_EQ(end(exited(0), R"({"refused": "media.empty", "reason": "the file is empty"})"),
            "media.empty: the file is empty");
  EXPECT_EQ(end(exited(0), "no"), "media.probe_failed: the file makes its probe say what is no verdict");
  EXPECT_EQ(end(exited(3)), "media.probe_failed: measuring the file takes too much memory");
  EXPECT_EQ(end(SIGSEGV), "media.probe_failed: the file makes its decoder fail (signal 11)");
  EXPECT_EQ(end(SIGXCPU), "media.probe_failed: measuring the file took too much processor time");
  EXPECT_EQ(end(SIGALRM), "media.probe_failed: measuring the file took too long");
  EXPECT_EQ(end(SIGKILL), "the probe was killed") << "perhaps for want of memory elsewhere: another time";
  EXPECT_EQ(end(exited(127)), "the probe ended with 127: said");
}

}  // namespace
