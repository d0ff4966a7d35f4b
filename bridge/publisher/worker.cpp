#include "bridge/publisher/worker.hpp"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bridge/pg/backoff.hpp"

namespace nexus::publisher {
namespace {

using bridge::pg::Backoff;
using std::chrono::milliseconds;

constexpr milliseconds kLongestSleep{10000}, kLongestBackoff{5000};
// A job that is due and that this worker does not get (another one has it locked, it is of another kind) is asked for
// no faster, and ever slower: what becomes due meanwhile waits as long.
constexpr milliseconds kShortestSleep{20}, kLongestRefused{320};
constexpr milliseconds kAfterFailure{1000};
constexpr std::chrono::seconds kGivingBack{5};  // how long what is under way may take to let go of its job

}  // namespace

Worker::Worker(WorkerSettings settings, Perform perform)
    : settings_(std::move(settings)), perform_(std::move(perform)), wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_ < 0) throw std::runtime_error("eventfd is not available");
}

Worker::~Worker() {
  stopping_ = true;
  {
    const std::lock_guard lock(mutex_);
    finished_ = true;
  }
  changed_.notify_all();
  wake();
  for (std::thread &thread : threads_) thread.join();
  ::close(wake_);
}

void Worker::start() {
  threads_.emplace_back([this] { dispatch(); });
  threads_.emplace_back([this] { beat(); });
  for (int i = 0; i < settings_.concurrency; ++i) threads_.emplace_back([this, i] { work(i); });
}

void Worker::wake() {
  const std::uint64_t one = 1;
  if (::write(wake_, &one, sizeof one) < 0) return;  // it is full: the sleeper wakes anyway
}

void Worker::drain() {
  stopping_ = true;
  changed_.notify_all();
  wake();
}

bool Worker::wait(std::chrono::seconds timeout) {
  std::unique_lock lock(mutex_);
  const bool ended = changed_.wait_for(lock, timeout, [this] { return held_.empty(); });
  finished_ = true;
  lock.unlock();
  changed_.notify_all();
  return ended;
}

void Worker::pause(milliseconds duration) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, duration, [this] { return finished_ || stopping_; });
}

void Worker::dispatch() {
  Database database(settings_.db_uri, settings_.db_role, settings_.program);
  Backoff backoff(kLongestBackoff);
  while (!stopping_) {
    try {
      database.open();
      database.run("LISTEN nexus_jobs");
      spdlog::info("claiming as {}", settings_.worker);
      backoff.reset();
      dispatch_connected(database);
    } catch (const ConnectionLost &error) {
      const milliseconds delay = backoff.next();
      spdlog::error("no database: {}; again in {} ms", error.what(), delay.count());
      pause(delay);
    } catch (const std::exception &error) {
      const milliseconds delay = backoff.next();
      spdlog::error("jobs cannot be claimed: {}; again in {} ms", error.what(), delay.count());
      database.close();
      pause(delay);
    }
  }
  give_back();
}

void Worker::dispatch_connected(Database &database) {
  milliseconds refused = kShortestSleep;
  while (!stopping_) {
    int free = settings_.concurrency;
    {
      const std::lock_guard lock(mutex_);
      free -= static_cast<int>(held_.size());
    }
    milliseconds sleep = kLongestSleep;
    if (free > 0) {
      const auto jobs = claim_jobs(database, settings_.lanes, settings_.kinds, free, settings_.lease, settings_.worker);
      {
        const std::lock_guard lock(mutex_);
        queue_.insert(queue_.end(), jobs.begin(), jobs.end());
        held_.insert(jobs.begin(), jobs.end());
      }
      changed_.notify_all();
      if (jobs.size() < static_cast<std::size_t>(free))
        sleep = until_next_job(database, settings_.lanes, kLongestSleep);
      if (jobs.empty() && sleep.count() == 0) {
        sleep = refused;
        refused = std::min(2 * refused, kLongestRefused);
      } else {
        refused = kShortestSleep;
      }
    }
    pollfd ends[2] = {{database.socket(), POLLIN, 0}, {wake_, POLLIN, 0}};
    if (::poll(ends, 2, static_cast<int>(sleep.count())) > 0 && (ends[1].revents & POLLIN) != 0) {
      std::uint64_t count = 0;
      if (::read(wake_, &count, sizeof count) < 0) continue;
    }
    if (database.take_notifications()) refused = kShortestSleep;
  }
}

void Worker::work(int number) {
  Database database(settings_.db_uri, settings_.db_role, settings_.program + " " + std::to_string(number));
  try {
    database.open();  // the first job shall not wait for it
  } catch (const std::exception &error) {
    spdlog::warn("no database yet: {}", error.what());
  }
  for (;;) {
    JobPtr job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return finished_ || (!stopping_ && !queue_.empty()); });
      if (finished_) return;
      job = queue_.front();
      queue_.pop_front();
    }
    work_one(database, job);
    {
      const std::lock_guard lock(mutex_);
      held_.erase(job);
    }
    changed_.notify_all();
    wake();
  }
}

void Worker::work_one(Database &database, const JobPtr &job) {
  Backoff backoff(kLongestBackoff);
  for (bool again = false;; again = true) {
    try {
      database.open();
      perform_(database, *job, again);
      return;
    } catch (const ConnectionLost &error) {
      if (!job->is_ours()) {
        spdlog::error("job {} is dropped, its lease ended without a database: {}", job->id, error.what());
        return;
      }
      std::this_thread::sleep_for(backoff.next());
    } catch (const std::exception &error) {
      // Its lease ends, and the next owner goes on from what the database knows.
      spdlog::error("job {}: {}", job->id, error.what());
      return;
    }
  }
}

void Worker::beat() {
  Database database(settings_.db_uri, settings_.db_role, settings_.program + " heartbeat");
  const milliseconds every = settings_.lease / 3;
  const milliseconds step = settings_.watch.count() > 0 ? std::min(settings_.watch, every) : every;
  milliseconds pause = step;
  auto next_beat = Clock::now() + every;
  for (;;) {
    std::vector<JobPtr> jobs;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, pause, [this] { return finished_; });
      if (finished_) return;
      jobs.assign(held_.begin(), held_.end());
    }
    if (jobs.empty()) continue;
    try {
      database.open();
      if (Clock::now() >= next_beat || step == every) {
        heartbeat_jobs(database, jobs, settings_.lease);
        next_beat = Clock::now() + every;
      } else {
        watch_jobs(database, jobs);
      }
      pause = step;
    } catch (const std::exception &error) {
      spdlog::error("leases cannot be renewed: {}", error.what());
      pause = std::min(every, kAfterFailure);
    }
  }
}

void Worker::give_back() {
  std::deque<JobPtr> unused;
  {
    const std::lock_guard lock(mutex_);
    unused.swap(queue_);
  }
  Database database(settings_.db_uri, settings_.db_role, settings_.program);
  for (const JobPtr &job : unused) {
    try {
      database.open();
      snooze_job(database, *job, 0);
    } catch (const std::exception &error) {
      spdlog::warn("job {} is given back by the end of its lease: {}", job->id, error.what());
    }
    const std::lock_guard lock(mutex_);
    held_.erase(job);
  }
  changed_.notify_all();
}

void run_until_signal(Worker &worker, const sigset_t &signals, std::chrono::seconds timeout,
                      std::atomic<bool> &giving_back) {
  worker.start();
  int number = 0;
  sigwait(&signals, &number);
  spdlog::info("stopping");
  worker.drain();
  if (!worker.wait(timeout)) {
    giving_back = true;
    if (!worker.wait(kGivingBack)) {
      spdlog::warn("what is under way is left to the end of its lease");
      spdlog::shutdown();
      _exit(1);
    }
  }
  spdlog::info("stopped");
}

}  // namespace nexus::publisher
