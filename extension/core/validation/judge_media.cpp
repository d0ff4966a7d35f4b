// The rules on attached media: how many, of what kinds, and the facts of each file.
#include <algorithm>
#include <string>

#include "core/validation/judge_parts.hpp"

namespace nexus::validation {

void Judge::judge_media_set(Target &target, const Rule &rule, const Post &post) {
  const std::string &platform = target.platform.name;
  auto path = [&] { return post.prefix + "media"; };
  if (rule.kind == RuleKind::media_mix) {
    if (condition_holds(MediaFilter::image, *post.media) && condition_holds(MediaFilter::video, *post.media)) {
      auto &finding = add(target.findings, target.platform, rule, "media.mixed", path(),
                          platform + " does not take images and videos in one post");
      finding.hint = "Attach images or a video, not both.";
    }
    return;
  }
  auto count = static_cast<double>(std::count_if(
      post.media->begin(), post.media->end(), [&](const Media &medium) { return matches(rule.when_media, medium); }));
  bool few = rule.min && count < *rule.min && post.main && draft_.complete;
  if (!few && !(rule.max && count > *rule.max)) return;
  std::string what(words_of(rule.when_media));
  if (rule.max && count > *rule.max) {
    auto &finding = add(target.findings, target.platform, rule, "media.too_many", path(),
                        "the post has " + number_text(count) + " " + what + ", " + platform + " takes " +
                            (*rule.max == 0 ? "none" : number_text(*rule.max) + " at most"));
    finding.hint = "Leave out " + number_text(count - *rule.max) + " of the " + what + ".";
    finding.actual = count;
    finding.allowed = rule.max;
  }
  if (few) {
    auto &finding = add(target.findings, target.platform, rule, count == 0 ? "media.missing" : "media.too_few", path(),
                        "the post has " + (count == 0 ? "no" : number_text(count)) + " " + what + ", " + platform +
                            " needs " + number_text(*rule.min) + " at least");
    finding.hint = "Attach an image or a video.";
    finding.actual = count;
    finding.allowed = rule.min;
  }
}

void Judge::judge_media_facts(Target &target, const Rule &rule, const Post &post) {
  for (std::size_t i = 0; i < post.media->size(); ++i) {
    const Media &medium = (*post.media)[i];
    if (!matches(rule.when_media, medium)) continue;
    interrupt_.poll();
    std::string path = post.prefix + "media[" + std::to_string(i) + "]";
    if (rule.kind == RuleKind::media_mime) {
      if (!medium.mime_type) {
        target.unprobed[i].mime_type = true;
      } else if (!mime_in(rule.list, *medium.mime_type)) {
        auto &finding = add(target.findings, target.platform, rule, "media.mime_type", path + ".mime_type",
                            path + " is of a MIME type that " + target.platform.name + " does not take");
        finding.hint = "Use one of: " + joined(rule.list);
      }
      continue;
    }
    Measured measured = measure(rule.kind, rule.unit, medium);
    target.unprobed[i] |= measured.missing;
    if (!measured.value) continue;
    double actual = *measured.value;
    // 1080 x 1919 is 9:16 to everybody but a computer.
    double slack = rule.kind == RuleKind::media_aspect ? 0.01 : 0;
    bool above = rule.max && actual > *rule.max * (1 + slack);
    bool below = rule.min && actual < *rule.min * (1 - slack);
    if (!above && !below) continue;
    double allowed = above ? *rule.max : *rule.min;
    auto &finding = add(target.findings, target.platform, rule,
                        "media." + std::string(above ? measured.code_above : measured.code_below),
                        path + "." + std::string(measured.member),
                        path + " has " + std::string(measured.noun) + " " + number_text(actual) +
                            std::string(measured.suffix) + ", " + target.platform.name + " takes " +
                            number_text(allowed) + std::string(measured.suffix) + (above ? " at most" : " at least"));
    finding.hint = std::string(measured.remedy);
    finding.actual = actual;
    finding.allowed = allowed;
  }
}

void Judge::judge_alt_texts(Target &target, const Rule &rule, const Post &post) {
  if (!rule.max) return;
  for (std::size_t i = 0; i < post.media->size(); ++i) {
    Text text((*post.media)[i].alt_text, interrupt_);
    if (text.surely_within(rule.unit, *rule.max)) continue;
    auto length = static_cast<double>(text.length(rule.unit));
    if (length <= *rule.max) continue;
    std::string path = post.prefix + "media[" + std::to_string(i) + "].alt_text";
    auto &finding = add(target.findings, target.platform, rule, "alt_text.too_long", path,
                        path + " has " + number_text(length) + " " + std::string(unit_words(rule.unit)) + ", " +
                            target.platform.name + " takes " + number_text(*rule.max) + " at most");
    finding.hint = "Shorten " + path + " by " + number_text(length - *rule.max) + ".";
    finding.start_char = text.overflow_at(rule.unit, static_cast<std::int64_t>(*rule.max));
    finding.end_char = static_cast<std::int32_t>(text.stats().codepoints);
    finding.actual = length;
    finding.allowed = rule.max;
  }
}

void Judge::report_unprobed(Target &target, const Post &post) {
  if (!draft_.complete) return;
  for (std::size_t i = 0; i < target.unprobed.size(); ++i) {
    std::string missing = target.unprobed[i].names();
    if (missing.empty()) continue;
    Finding finding;
    finding.platform = target.platform.slug;
    finding.code = "media.unprobed";
    finding.severity = Severity::warning;
    finding.field = post.prefix + "media[" + std::to_string(i) + "]";
    finding.message = finding.field + " was not judged in full: " + missing + " not given";
    finding.hint = "Give " + missing + " of the file.";
    target.findings.push_back(std::move(finding));
  }
}

}  // namespace nexus::validation
