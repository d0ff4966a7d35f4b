#include "core/text/analysis.hpp"

namespace nexus::text {

const std::vector<Span> &Analysis::urls() {
  if (!urls_) urls_ = x_url_spans(text_, interrupt_);
  return *urls_;
}

const std::vector<Span> &Analysis::links(Dialect dialect) {
  std::optional<std::vector<Span>> &links = links_.at(static_cast<std::size_t>(dialect));
  if (!links) {
    links = dialect == Dialect::x         ? x_spans(text_, urls(), interrupt_)
            : dialect == Dialect::bluesky ? bluesky_spans(text_, interrupt_)
                                          : mastodon_spans(text_, urls(), interrupt_);
  }
  return *links;
}

void Analysis::compose() {
  if (compose_done_) return;
  // A text whose measure met nothing that NFC might change is in NFC.
  if (!stats_ || stats_->nfc_open) composed_ = nfc(text_, interrupt_, &changes_);
  compose_done_ = true;
}

std::string_view Analysis::composed() {
  compose();
  return changes_.empty() ? text_ : composed_;
}

const std::vector<NfcChange> &Analysis::changes() {
  compose();
  return changes_;
}

const std::vector<Span> &Analysis::composed_urls() {
  compose();
  if (changes_.empty()) return urls();
  if (!composed_urls_) composed_urls_ = x_url_spans(composed_, interrupt_);
  return *composed_urls_;
}

const Stats &Analysis::stats() {
  if (!stats_) stats_ = text_stats(*this);
  return *stats_;
}

}  // namespace nexus::text
