#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/interrupt.hpp"
#include "core/validation/draft.hpp"
#include "core/validation/measure.hpp"
#include "core/validation/rules.hpp"

namespace nexus::validation {

/// Whose overrides hold, and on which day (of the count that the rules' dates use).
struct Circumstances {
  std::optional<std::string_view> user_id = {}, account_id = {};
  std::int32_t today = 0;
};

/// Judges one draft against any number of platforms; each text is measured once, whatever the number of platforms.
///
/// Where a draft gives a description but no caption, a platform that knows no description takes it as the caption, and
/// the other way round. Of several findings of one code for one field only the most severe are kept: a soft limit is
/// not named beside a hard one.
///
///     Judge judge(rules, draft, {.today = 9000});
///     judge.platform(*rules.find("x"), findings);
class Judge {
 public:
  Judge(const RuleSet &rules, const Draft &draft, Circumstances circumstances, Interrupt interrupt = Interrupt());

  /// Appends what `platform` minds.
  void platform(const Platform &platform, std::vector<Finding> &findings);

 private:
  struct Target;
  struct Post;  // the main post or a part of the thread

  bool applies(const Rule &rule, const Post &post) const;
  void judge_rule(Target &target, const Rule &rule, const Post &post);
  void judge_text(Target &target, const Rule &rule, const Post &post);
  void judge_characters(Target &target, const Rule &rule, const Post &post);
  void judge_tags(Target &target, const Rule &rule);
  void judge_entities(Target &target, const Rule &rule, const Post &post);
  void judge_media_set(Target &target, const Rule &rule, const Post &post);
  void judge_media_facts(Target &target, const Rule &rule, const Post &post);
  void judge_alt_texts(Target &target, const Rule &rule, const Post &post);
  void judge_content_type(Target &target, const Rule &rule);
  void judge_thread(Target &target, const Rule &rule);
  void report_unprobed(Target &target, const Post &post);
  std::pair<Text *, std::string_view> text_of(const Target &target, Field field, const Post &post);

  const RuleSet &rules_;
  const Draft &draft_;
  Circumstances circumstances_;
  Interrupt interrupt_;
  std::vector<const std::vector<Override> *> overrides_;  // of everybody, the user, the account: the last one wins
  std::string_view content_type_;                         // as judged: `post` is resolved
  Text title_, caption_, description_, script_;
  std::vector<Text> thread_captions_;
};

}  // namespace nexus::validation
