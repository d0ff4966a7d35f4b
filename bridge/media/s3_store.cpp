#include "bridge/media/s3_store.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <nlohmann/json.hpp>
#include <thread>

namespace nexus::media {
namespace {

using nlohmann::json;
using publisher::Exchange;

constexpr std::size_t kPart = std::size_t{5} << 20;  // the least that S3 takes for any part but the last
constexpr std::size_t kMaxParts = 10000;
constexpr int kTries = 4;
constexpr std::chrono::milliseconds kFirstPause{200};
constexpr std::chrono::seconds kTimeout{60};
constexpr int kNotFound = 404, kRangeRefused = 416;

std::string now_text(const char *format, std::time_t at) {
  std::tm parts{};
  gmtime_r(&at, &parts);
  char text[32];
  text[std::strftime(text, sizeof text, format, &parts)] = '\0';
  return text;
}

// The text between <name> and </name> from `at` on, which moves behind it; nothing where there is none. S3 writes these
// answers itself, and the keys asked for hold nothing that XML would escape.
std::optional<std::string> element(const std::string &xml, const std::string &name, std::size_t &at) {
  const std::string open = "<" + name + ">", close = "</" + name + ">";
  const std::size_t from = xml.find(open, at);
  if (from == std::string::npos) return std::nullopt;
  const std::size_t to = xml.find(close, from);
  if (to == std::string::npos) return std::nullopt;
  at = to + close.size();
  return xml.substr(from + open.size(), to - from - open.size());
}

std::optional<std::string> element(const std::string &xml, const std::string &name) {
  std::size_t at = 0;
  return element(xml, name, at);
}

[[noreturn]] void fail(const Exchange &answer) {
  if (answer.status == kNotFound) throw StoreError(StoreError::Kind::kMissing, "there is no such object");
  std::string said = answer.error;
  if (said.empty()) {
    said = "status " + std::to_string(answer.status);
    if (const auto code = element(answer.body, "Code")) said += " " + *code;
  }
  throw StoreError(StoreError::Kind::kFailed, "the object store failed: " + said);
}

// What is known of an upload, as its manifest object has it.
struct Manifest {
  std::string upload_id;
  std::vector<std::string> etags;  ///< of parts of kPart bytes each
  std::size_t tail = 0;            ///< bytes behind them, in an object of their own

  std::uint64_t size() const { return etags.size() * std::uint64_t{kPart} + tail; }

  std::string text() const { return json{{"upload_id", upload_id}, {"etags", etags}, {"tail", tail}}.dump(); }

  static Manifest of(const std::string &text) {
    const json read = json::parse(text, nullptr, false);
    Manifest manifest;
    try {
      read.at("upload_id").get_to(manifest.upload_id);
      read.at("etags").get_to(manifest.etags);
      read.at("tail").get_to(manifest.tail);
    } catch (const json::exception &) {
      throw StoreError(StoreError::Kind::kFailed, "the manifest of an upload cannot be read");
    }
    return manifest;
  }
};

std::string tail_suffix(const Manifest &manifest) {
  return "." + std::to_string(manifest.etags.size());
}

}  // namespace

class S3Part : public Part {
 public:
  S3Part(S3Store &store, std::string key) : store_(store), key_(std::move(key)) {
    if (const auto kept = store_.get(store_.part(key_, ""))) kept_ = Manifest::of(*kept);
    if (kept_.tail > 0) {
      buffer_ = store_.get(store_.part(key_, tail_suffix(kept_))).value_or("");
      if (buffer_.size() < kept_.tail) throw StoreError(StoreError::Kind::kFailed, "the end of an upload is lost");
      buffer_.resize(kept_.tail);
    }
    now_ = kept_;
  }

  ~S3Part() override {
    const std::lock_guard<std::mutex> lock(store_.mutex_);
    store_.open_.erase(key_);
  }

  std::uint64_t size() const override { return now_.etags.size() * std::uint64_t{kPart} + buffer_.size(); }

  void append(std::string_view bytes) override {
    while (!bytes.empty()) {
      const std::size_t n = std::min(kPart - buffer_.size(), bytes.size());
      buffer_.append(bytes.substr(0, n));
      bytes.remove_prefix(n);
      if (buffer_.size() == kPart) send_part();
    }
  }

  void flush() override {
    now_.tail = buffer_.size();
    if (now_.tail > 0) store_.ask("PUT", store_.part(key_, tail_suffix(now_)), {}, buffer_);
    keep();
    doubted_ = false;
  }

  void doubt() override {
    doubted_ = true;
    doubted_tail_ = buffer_;
    doubted_etags_ = now_.etags.size();
  }

  void discard() override {
    buffer_ = doubted_tail_;
    now_.etags.resize(doubted_etags_);
    flush();
  }

  void finish() override {
    if (now_.upload_id.empty()) {
      store_.put(key_, buffer_);
    } else {
      if (!buffer_.empty()) send_part();
      std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
      for (std::size_t i = 0; i < now_.etags.size(); ++i) {
        body += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + now_.etags[i] + "</ETag></Part>";
      }
      const auto answer =
          store_.ask("POST", store_.object(key_), {{"uploadId", now_.upload_id}}, body + "</CompleteMultipartUpload>");
      // S3 may have begun its answer with 200 before it knew
      if (answer.body.find("<Error>") != std::string::npos) fail(answer);
    }
    store_.send("DELETE", store_.part(key_, ""), {});
    if (kept_.tail > 0) store_.send("DELETE", store_.part(key_, tail_suffix(kept_)), {});
  }

 private:
  void send_part() {
    if (now_.upload_id.empty()) {
      const auto answer = store_.ask("POST", store_.object(key_), {{"uploads", ""}});
      now_.upload_id = element(answer.body, "UploadId").value_or("");
      if (now_.upload_id.empty()) fail(answer);
    }
    if (now_.etags.size() == kMaxParts) throw StoreError(StoreError::Kind::kFailed, "the upload has too many parts");
    const auto answer =
        store_.ask("PUT", store_.object(key_),
                   {{"partNumber", std::to_string(now_.etags.size() + 1)}, {"uploadId", now_.upload_id}}, buffer_);
    const bool whole = buffer_.size() == kPart;
    now_.etags.push_back(answer.header("etag"));
    buffer_.clear();
    if (whole && !doubted_) {
      now_.tail = 0;
      keep();
    }
  }

  // The manifest says what counts; the end it does not name any more goes.
  void keep() {
    store_.ask("PUT", store_.part(key_, ""), {}, now_.text());
    if (kept_.tail > 0 && (now_.tail == 0 || tail_suffix(now_) != tail_suffix(kept_))) {
      store_.send("DELETE", store_.part(key_, tail_suffix(kept_)), {});
    }
    kept_ = now_;
  }

  S3Store &store_;
  const std::string key_;
  Manifest kept_, now_;  // as the manifest object has it, and with what came since
  std::string buffer_, doubted_tail_;
  std::size_t doubted_etags_ = 0;
  bool doubted_ = false;
};

// The endpoint is the operator's word, in a private network or not; nothing else is ever connected to.
S3Store::S3Store(const StoreSettings &settings)
    : client_(publisher::AddressGuard({"0.0.0.0/0", "::/0"}), ""), temporary_(settings.temporary) {
  const std::string place = settings.place.substr(5);
  const std::size_t slash = place.find('/');
  const std::string bucket = place.substr(0, slash);
  const bool named =
      !bucket.empty() && bucket.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos;
  if (!named) throw std::runtime_error("the name of the bucket for media cannot be");
  if (slash != std::string::npos) prefix_ = place.substr(slash + 1);
  while (!prefix_.empty() && prefix_.back() == '/') prefix_.pop_back();
  if (!prefix_.empty()) prefix_ += '/';
  if (settings.access_key.empty() || settings.secret_key.empty()) {
    throw std::runtime_error(
        "the bucket for media needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment");
  }
  signer_.access_key = settings.access_key;
  signer_.secret_key = settings.secret_key;
  signer_.region = settings.region.empty() ? "us-east-1" : settings.region;
  session_token_ = settings.session_token;
  base_ = settings.endpoint;
  while (!base_.empty() && base_.back() == '/') base_.pop_back();
  if (base_.empty()) {
    base_ = "https://" + bucket + ".s3." + signer_.region + ".amazonaws.com";
    path_ = "/";
  } else {
    path_ = "/" + bucket + "/";
  }
  const auto url = publisher::parse_url(base_ + "/");
  if (!url || url->target != "/")
    throw std::runtime_error("the endpoint of the bucket for media is no http(s)://HOST[:PORT]");
  host_ = url->authority();
}

Exchange S3Store::send(const std::string &method, const std::string &name, const Pairs &query, const std::string &body,
                       const Pairs &headers) const {
  SignedRequest request;
  request.method = method;
  request.path = uri_encoded(path_ + name, true);
  request.query = query;
  request.payload_hash = sha256_hex(body);
  publisher::Call call;
  call.method = method;
  call.body = body;
  call.timeout = kTimeout;
  call.max_response = 2 * kPart;
  call.url = base_ + request.path;
  if (!query.empty()) call.url += "?" + query_string(query);
  auto pause = kFirstPause;
  for (int tried = 1;; ++tried) {
    const std::string time = now_text("%Y%m%dT%H%M%SZ", std::time(nullptr));
    request.headers = headers;
    request.headers.insert(request.headers.end(),
                           {{"host", host_}, {"x-amz-content-sha256", request.payload_hash}, {"x-amz-date", time}});
    if (!session_token_.empty()) request.headers.emplace_back("x-amz-security-token", session_token_);
    call.headers = request.headers;
    call.headers.emplace_back("authorization", signer_.authorization(request, time));
    Exchange answer = client_.run(call);
    const bool again = answer.state != Exchange::State::kAnswered || answer.status >= 500;
    if (!again) return answer;
    if (tried == kTries) fail(answer);
    std::this_thread::sleep_for(pause);
    pause *= 3;
  }
}

Exchange S3Store::ask(const std::string &method, const std::string &name, const Pairs &query, const std::string &body,
                      const Pairs &headers) const {
  Exchange answer = send(method, name, query, body, headers);
  if (!answer.ok()) fail(answer);
  return answer;
}

std::string S3Store::object(const std::string &key) const {
  if (!is_key(key)) throw StoreError(StoreError::Kind::kMissing, "this is no key of an object");
  return prefix_ + "objects/" + key;
}

std::string S3Store::part(const std::string &key, const std::string &suffix) const {
  if (!is_key(key)) throw StoreError(StoreError::Kind::kMissing, "this is no key of an object");
  return prefix_ + "parts/" + key + "/manifest" + suffix;
}

std::optional<std::string> S3Store::get(const std::string &name) const {
  auto answer = send("GET", name, {});
  if (answer.status == kNotFound) return std::nullopt;
  if (!answer.ok()) fail(answer);
  return std::move(answer.body);
}

std::unique_ptr<Part> S3Store::open_part(const std::string &key) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!open_.insert(key).second) {
      throw StoreError(StoreError::Kind::kBusy, "another request writes to this upload");
    }
  }
  try {
    return std::make_unique<S3Part>(*this, key);
  } catch (...) {
    const std::lock_guard<std::mutex> lock(mutex_);
    open_.erase(key);
    throw;
  }
}

std::optional<std::uint64_t> S3Store::part_size(const std::string &key) {
  const auto kept = get(part(key, ""));
  if (!kept) return std::nullopt;
  return Manifest::of(*kept).size();
}

// By one byte of it: its range names the whole.
std::optional<std::uint64_t> S3Store::size(const std::string &key) {
  const auto answer = send("GET", object(key), {}, "", {{"range", "bytes=0-0"}});
  if (answer.status == kNotFound) return std::nullopt;
  if (answer.status == kRangeRefused) return 0;
  if (!answer.ok()) fail(answer);
  const std::string range = answer.header("content-range");
  const std::size_t slash = range.find('/');
  std::uint64_t size = 0;
  if (slash == std::string::npos ||
      std::from_chars(range.data() + slash + 1, range.data() + range.size(), size).ec != std::errc()) {
    throw StoreError(StoreError::Kind::kFailed, "the object store names no size");
  }
  return size;
}

std::string S3Store::read(const std::string &key, std::uint64_t first, std::size_t count) {
  if (count == 0) return "";
  count = std::min(count, kPart);
  auto answer = send("GET", object(key), {}, "",
                     {{"range", "bytes=" + std::to_string(first) + "-" + std::to_string(first + count - 1)}});
  if (answer.status == kRangeRefused) return "";
  if (!answer.ok()) fail(answer);
  return std::move(answer.body);
}

void S3Store::put(const std::string &key, std::string_view bytes) {
  ask("PUT", object(key), {}, std::string(bytes));
}

void S3Store::remove(const std::string &key) {
  const auto gone = [this](const std::string &name, const Pairs &query) {
    const auto answer = send("DELETE", name, query);
    if (!answer.ok() && answer.status != kNotFound) fail(answer);
  };
  if (const auto kept = get(part(key, ""))) {
    const Manifest manifest = Manifest::of(*kept);
    if (!manifest.upload_id.empty()) gone(object(key), {{"uploadId", manifest.upload_id}});
    if (manifest.tail > 0) gone(part(key, tail_suffix(manifest)), {});
    gone(part(key, ""), {});
  }
  gone(object(key), {});
}

void S3Store::list(const std::string &folder, std::chrono::seconds age, const std::string &after, std::size_t max,
                   std::vector<std::string> &keys) const {
  const std::string start = prefix_ + folder;
  const std::string before = now_text("%Y-%m-%dT%H:%M:%S", std::time(nullptr) - age.count());
  std::string from = after.empty() ? "" : start + after + "~";
  std::size_t found = 0;
  for (bool more = true; more && found < max;) {
    Pairs query{{"list-type", "2"}, {"prefix", start}};
    if (!from.empty()) query.emplace_back("start-after", from);
    const auto answer = ask("GET", "", query);
    std::size_t at = 0;
    const std::string last = from;
    while (const auto entry = element(answer.body, "Contents", at)) {
      from = element(*entry, "Key").value_or("");
      if (from.size() < start.size()) continue;
      const std::string name = from.substr(start.size());
      const std::string key = name.substr(0, name.find('/'));
      // times of one form compare as texts
      if (!is_key(key) || key <= after ||
          element(*entry, "LastModified").value_or("~").compare(0, before.size(), before) >= 0)
        continue;
      if (keys.empty() || keys.back() != key) ++found;
      keys.push_back(key);
    }
    more = element(answer.body, "IsTruncated") == "true" && from != last;
  }
}

std::vector<std::string> S3Store::stale(std::chrono::seconds age, const std::string &after, std::size_t max) {
  std::vector<std::string> keys;
  list("objects/", age, after, max, keys);
  list("parts/", age, after, max, keys);
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  if (keys.size() > max) keys.resize(max);
  return keys;
}

LocalCopy S3Store::local_copy(const std::string &key) {
  const auto whole = size(key);
  if (!whole) throw StoreError(StoreError::Kind::kMissing, "there is no such object");
  const int fd = ::open(temporary_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) {
    throw StoreError(StoreError::Kind::kFailed,
                     "no file can be made in " + temporary_ + ": " + std::generic_category().message(errno));
  }
  LocalCopy copy(fd, "/proc/self/fd/" + std::to_string(fd));
  for (std::uint64_t at = 0; at < *whole;) {
    const std::string bytes = read(key, at, kPart);
    if (bytes.empty()) throw StoreError(StoreError::Kind::kFailed, "an object ended early");
    for (std::size_t done = 0; done < bytes.size();) {
      const ssize_t n = ::write(fd, bytes.data() + done, bytes.size() - done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) throw StoreError(StoreError::Kind::kNoSpace, "a local copy of an object finds no room");
      done += static_cast<std::size_t>(n);
    }
    at += bytes.size();
  }
  ::lseek(fd, 0, SEEK_SET);
  return copy;
}

}  // namespace nexus::media
