#ifdef POSTGRES_H
#error "core headers come before PostgreSQL's"
#endif
#pragma once

#include "core/text/spans.hpp"

namespace nexus::text {

/// Finds X's URLs in one walk over a text: call at_dot() for each '.' from left to right.
///
///     XUrls urls(text);
///     urls.at_dot(dot, found, interrupt);  // appends to `found`, in text order
class XUrls {
 public:
  explicit XUrls(std::string_view utf8) : text_(utf8) {}

  void at_dot(std::size_t dot, std::vector<Span> &found, Interrupt &interrupt);

 private:
  static constexpr std::size_t kNone = std::string_view::npos;

  /// The rules are written for UTF-16: a domain may also start between the halves of a surrogate pair (`inside`), with
  /// the first half in front of it.
  struct Start {
    std::size_t protocol = kNone, domain = kNone;
    bool inside = false;
  };

  /// The dot in front of a top-level domain, and where that ends.
  struct Tld {
    std::size_t dot, end;
  };

  bool may_start(std::size_t where) const;
  /// The first place of a label, or of the part of it from `from` on, at which a domain may start.
  Start first_start(std::size_t from, std::size_t to) const;
  /// Where the protocol starts that stands in front of `domain`.
  std::size_t protocol_before(std::size_t domain) const;
  /// The leftmost place from which labels lead up to `dot`.
  Start find_start(std::size_t dot) const;
  /// The last dot behind `dot` in its chain of labels that a top-level domain follows; `tld` is then where that ends.
  std::size_t last_dot(std::size_t dot, std::size_t &tld, Interrupt &interrupt);
  /// Consumes the URL, and appends it if it is one.
  void take(Start start, Tld tld, std::vector<Span> &found);
  /// A bare domain: the parts of it that are Latin.
  void take_bare(std::size_t domain, Tld last, std::size_t path_end, std::vector<Span> &found);

  std::string_view text_;
  std::size_t consumed_ = 0;  // end of the last match: no other one touches what is before
  std::size_t fence_ = 0;     // no domain starts before
  struct {
    std::size_t from = 0, to = 0;
  } chain_;  // no dot in here is the last of a domain
};

}  // namespace nexus::text
