#pragma once

#include <spdlog/spdlog.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bridge/http/handler.hpp"
#include "bridge/media/receiver.hpp"
#include "bridge/media/store.hpp"
#include "bridge/net/exchange.hpp"
#include "bridge/net/loop.hpp"
#include "bridge/serve/call_service.hpp"

namespace nexus::bridge {

/// What all loops share for media: the store, and the threads that wait for it.
struct MediaStore {
  MediaStore(std::unique_ptr<media::Store> store, std::size_t threads) : store(std::move(store)), threads(threads) {}
  ~MediaStore() { threads.join(); }
  MediaStore(const MediaStore &) = delete;
  MediaStore &operator=(const MediaStore &) = delete;

  std::unique_ptr<media::Store> store;
  boost::asio::thread_pool threads;
  std::atomic<int> receiving{0};  ///< uploads that are being written to
};

/// The public port of one loop, with uploads at /files (tus 1.0.0) and files at /media before everything else. Bodies
/// go to the store as they come: what waits in memory for the store is bounded, and a client that is faster waits. Who
/// may do what is the database's to say, by its functions create_upload, media_file, delete_media and note_upload; how
/// far an upload is, is the store's.
class MediaService : public net::Service {
 public:
  MediaService(net::Loop &loop, const Handler &handler, MediaStore &media, std::unique_ptr<serve::CallService> calls);
  ~MediaService() override;

  void serve(const std::shared_ptr<net::Exchange> &exchange) override;
  bool takes_parts(const httplib::Request &head) override;
  void cancel_all() override { calls_->cancel_all(); }
  void drain() override { calls_->drain(); }

 private:
  using ExchangePtr = std::shared_ptr<net::Exchange>;
  using Answer = std::function<void(const nlohmann::json &)>;
  struct Receiving;
  struct Sending;

  void route(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &path);
  void create(const ExchangePtr &exchange, const PolicyPtr &policy);
  void tell_offset(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key);
  void patch(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key);
  void terminate(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key);

  void receive(const ExchangePtr &exchange, const PolicyPtr &policy, const nlohmann::json &file, std::uint64_t offset,
               bool created);
  void opened(std::uint64_t number);
  bool take_body(std::uint64_t number, std::string_view bytes, bool last);
  void stop_receiving(std::uint64_t number, bool whole, std::optional<HttpError> error);
  void settle(std::uint64_t number, std::optional<std::uint64_t> offset);

  void show(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key, bool thumbnail);
  void sign(const ExchangePtr &exchange, const PolicyPtr &policy, const std::string &key);
  void send_object(const ExchangePtr &exchange, const std::string &key, const std::string &etag, std::uint64_t size);
  void send_more(std::shared_ptr<Sending> sending);

  /// The value of an expression, asked for in somebody's name; an error of any kind becomes the answer.
  void ask(const ExchangePtr &exchange, const PolicyPtr &policy, const Identity &identity, bool reads,
           const std::string &expression, std::vector<std::string> values, Answer then);

  /// Work on the threads of the store; `then` gets its result on the loop, an HttpError becomes the answer.
  template <typename Work, typename Then>
  void work(const ExchangePtr &exchange, Work what, Then then);

  static Identity user_of(const PolicyPtr &policy, const httplib::Request &request, bool again = false);
  void answer(const ExchangePtr &exchange);
  void fail(const ExchangePtr &exchange, const HttpError &error);

  net::Loop &loop_;
  const Handler &handler_;
  MediaStore &media_;
  std::unique_ptr<serve::CallService> calls_;
  net::Parking parking_;
  std::map<std::uint64_t, std::unique_ptr<Receiving>> receiving_;
  std::uint64_t last_ = 0;
};

template <typename Work, typename Then>
void MediaService::work(const ExchangePtr &exchange, Work what, Then then) {
  using Result = std::variant<HttpError, decltype(what())>;
  boost::asio::post(media_.threads,
                    [this, number = parking_.park(exchange), what = std::move(what), then = std::move(then)]() mutable {
                      auto result = std::make_shared<Result>(HttpError(500, "XX000", "internal error of the bridge"));
                      try {
                        *result = what();
                      } catch (const media::StoreError &error) {
                        *result = from_store(error);
                      } catch (const HttpError &error) {
                        *result = error;
                      } catch (const std::exception &error) {
                        spdlog::error("the store of media: {}", error.what());
                      }
                      // moved, not copied: what it holds of the exchange must end on the loop
                      boost::asio::post(loop_.context, [this, number, result, then = std::move(then)] {
                        const auto parked = parking_.take(number);
                        if (!parked) return;
                        if (const auto *error = std::get_if<HttpError>(result.get())) return fail(parked, *error);
                        try {
                          then(parked, std::get<1>(*result));
                        } catch (const HttpError &error) {
                          fail(parked, error);
                        } catch (const std::exception &error) {
                          spdlog::error("{}: {}", parked->request.path, error.what());
                          fail(parked, HttpError(500, "XX000", "internal error of the bridge"));
                        }
                      });
                    });
}

}  // namespace nexus::bridge
