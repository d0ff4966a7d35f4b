#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/interrupt.hpp"
#include "core/text/normalize.hpp"
#include "core/text/spans.hpp"
#include "core/text/stats.hpp"

namespace nexus::text {

/// One text, and what several measures of it are made of: each is found once, when first asked for. The text outlives
/// the analysis.
///
///     Analysis text("see a.com #tag");
///     text.stats().x_weight;           // looks for URLs
///     text.links(Dialect::x).size();   // 2; does not look for them again
class Analysis {
 public:
  explicit Analysis(std::string_view utf8, Interrupt interrupt = Interrupt()) : text_(utf8), interrupt_(interrupt) {}

  std::string_view text() const { return text_; }
  Interrupt &interrupt() { return interrupt_; }

  /// What X takes for URLs, in text order.
  const std::vector<Span> &urls();

  /// The links of a dialect, in text order and without overlaps.
  const std::vector<Span> &links(Dialect dialect);

  /// The text in NFC, where that differs from the text, and the URLs there.
  std::string_view composed();
  const std::vector<NfcChange> &changes();
  const std::vector<Span> &composed_urls();

  /// text_stats() of the text.
  const Stats &stats();

 private:
  void compose();

  std::string_view text_;
  Interrupt interrupt_;
  std::optional<std::vector<Span>> urls_, composed_urls_;
  std::array<std::optional<std::vector<Span>>, kDialects> links_;
  bool compose_done_ = false;
  std::string composed_;
  std::vector<NfcChange> changes_;
  std::optional<Stats> stats_;
};

}  // namespace nexus::text
