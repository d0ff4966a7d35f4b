#include "bridge/pg/line.hpp"

#include <boost/asio/post.hpp>

namespace nexus::bridge::pg {
namespace {

using boost::asio::posix::stream_descriptor;
using boost::system::error_code;

struct Clear {
  void operator()(PGresult *result) const { PQclear(result); }
};

// What libpq wants of the parameters.
struct Bound {
  explicit Bound(const std::vector<Parameter> &parameters) {
    types.reserve(parameters.size());
    values.reserve(parameters.size());
    lengths.reserve(parameters.size());
    formats.reserve(parameters.size());
    for (const auto &parameter : parameters) {
      types.push_back(parameter.type);
      values.push_back(parameter.value.c_str());
      lengths.push_back(static_cast<int>(parameter.value.size()));
      formats.push_back(parameter.binary ? 1 : 0);
    }
  }
  int size() const { return static_cast<int>(values.size()); }
  std::vector<Oid> types;
  std::vector<const char *> values;
  std::vector<int> lengths, formats;
};

}  // namespace

Line::Line(boost::asio::io_context &context, std::unique_ptr<PGconn, Finish> connection, bool prepare,
           std::size_t capacity)
    : descriptor_(context),
      connection_(std::move(connection)),
      prepare_(prepare),
      prepared_(capacity),
      created_(Clock::now()),
      last_used_(created_) {}

Line::~Line() {
  close();
}

void Line::start(Events events) {
  events_ = std::move(events);
  error_code error;
  descriptor_.assign(PQsocket(connection_.get()), error);
  if (error || PQenterPipelineMode(connection_.get()) == 0) return fail("the connection cannot be used");
  watch_read();
}

void Line::close() {
  if (closed_) return;
  closed_ = true;
  // The descriptor is libpq's to close.
  if (descriptor_.is_open()) descriptor_.release();
  connection_.reset();
  jobs_.clear();
  expected_.clear();
}

void Line::fail(const std::string &reason, bool farewell) {
  if (!closed_ && events_.lost) events_.lost(*this, reason, farewell);
}

std::shared_ptr<PGcancel> Line::cancel_handle() const {
  return {PQgetCancel(connection_.get()), [](PGcancel *cancel) { PQfreeCancel(cancel); }};
}

void Line::send_statement(const Statement &statement, const JobPtr &job, std::size_t stage) {
  const Bound bound(statement.parameters);
  PGconn *connection = connection_.get();
  bool sent = false;
  // Results in binary form: text and json are their own bytes then, and bytea needs no decoding.
  if (prepare_) {
    const auto [name, known] = prepared_.use(statement);
    if (!known) {
      job->cold = true;
      sent = PQsendPrepare(connection, name.c_str(), statement.sql.c_str(), bound.size(), bound.types.data()) != 0;
      expected_.push_back({Expected::Kind::kPrepare, job, stage, name, false});
      if (!sent) return;
    }
    sent = PQsendQueryPrepared(connection, name.c_str(), bound.size(), bound.values.data(), bound.lengths.data(),
                               bound.formats.data(), 1) != 0;
  } else {
    sent = PQsendQueryParams(connection, statement.sql.c_str(), bound.size(), bound.types.data(), bound.values.data(),
                             bound.lengths.data(), bound.formats.data(), 1) != 0;
  }
  if (sent) expected_.push_back({Expected::Kind::kRun, job, stage, "", false});
}

void Line::sync(const JobPtr &job) {
  if (PQpipelineSync(connection_.get()) != 0) expected_.push_back({Expected::Kind::kSync, job, 0, "", false});
}

void Line::send(const JobPtr &job) {
  last_used_ = Clock::now();
  job->begun = last_used_;
  job->outcome = {};
  job->answered = job->cold = job->exposed = false;
  jobs_.push_back(job);
  const auto &stages = job->script.stages;
  for (std::size_t i = 0; i < stages.size(); ++i) send_statement(stages[i].statement, job, i);
  sync(job);
  while (auto name = prepared_.evict()) send_own(("DEALLOCATE " + *name).c_str());
  flush();
  if (PQstatus(connection_.get()) != CONNECTION_OK) {
    boost::asio::post(descriptor_.get_executor(),
                      [self = shared_from_this()] { self->fail("the connection is closed"); });
  }
}

void Line::send_own(const char *sql) {
  if (PQsendQueryParams(connection_.get(), sql, 0, nullptr, nullptr, nullptr, nullptr, 1) != 0) {
    expected_.push_back({Expected::Kind::kRun, nullptr, 0, "", false});
  }
  sync(nullptr);
}

std::vector<JobPtr> Line::take_back() {
  std::vector<JobPtr> taken;
  for (std::size_t i = 1; i < jobs_.size(); ++i) {
    const JobPtr job = jobs_[i];
    const auto ghost = std::make_shared<Job>();
    ghost->script = job->script;
    ghost->abandoned = true;
    jobs_[i] = ghost;
    for (auto &expected : expected_) {
      if (expected.job == job) expected.job = ghost;
    }
    taken.push_back(job);
  }
  return taken;
}

void Line::forget_prepared() {
  if (closed_) return;
  prepared_.clear();
  send_own("DEALLOCATE ALL");
  flush();
}

// While nobody takes the rows, nothing is read, so that the server waits as well.
void Line::watch_read() {
  if (watching_ || paused_) return;
  watching_ = true;
  descriptor_.async_wait(stream_descriptor::wait_read, [self = shared_from_this()](const error_code &error) {
    self->watching_ = false;
    if (error || self->closed_) return;
    self->read();
    if (!self->closed_) self->watch_read();
  });
}

void Line::resume() {
  if (closed_ || !paused_) return;
  paused_ = false;
  take_results();
  if (closed_) return;
  flush();
  watch_read();
}

void Line::watch_write() {
  if (writing_) return;
  writing_ = true;
  descriptor_.async_wait(stream_descriptor::wait_write, [self = shared_from_this()](const error_code &error) {
    self->writing_ = false;
    if (!error && !self->closed_) self->flush();
  });
}

void Line::flush() {
  const int left = PQflush(connection_.get());
  if (left > 0) return watch_write();
  // A dead connection is told by reading: there may be a last word of the server.
}

void Line::read() {
  const bool alive = PQconsumeInput(connection_.get()) != 0;
  take_results();
  if (closed_) return;
  if (!alive || PQstatus(connection_.get()) != CONNECTION_OK) return fail(PQerrorMessage(connection_.get()));
  flush();
}

void Line::take_results() {
  if (taking_) return;
  taking_ = true;
  const auto self = shared_from_this();
  while (!closed_ && !paused_ && !expected_.empty() && PQisBusy(connection_.get()) == 0) {
    const std::unique_ptr<PGresult, Clear> result(PQgetResult(connection_.get()));
    if (!take_result(result.get())) break;
  }
  if (!closed_ && !paused_ && !jobs_.empty()) {
    const JobPtr job = jobs_.front();
    if (job->flowing && !job->abandoned && !job->on_pause() && !job->abandoned) paused_ = true;
  }
  taking_ = false;
}

void Line::take_row(const PGresult *result, Job &job) {
  job.answered = job.flowing = true;
  if (job.abandoned) return;
  std::optional<std::string_view> value;
  if (PQgetisnull(result, 0, 0) == 0) {
    value.emplace(PQgetvalue(result, 0, 0), static_cast<std::size_t>(PQgetlength(result, 0, 0)));
  }
  // Whoever takes rows may also leave.
  if (!job.on_row(value) && !job.abandoned) paused_ = true;
}

// An error leaves the transaction open; nothing but its end is possible in it. While scripts are under way behind this
// one, libpq knows no more than that it is busy.
bool Line::left_open(const Job &job) const {
  if (job.script.implicit_transaction) return false;
  const PGTransactionStatusType status = PQtransactionStatus(connection_.get());
  return status == PQTRANS_ACTIVE ? job.outcome.error.has_value() : status != PQTRANS_IDLE;
}

// False when there is nothing more to take.
bool Line::take_result(PGresult *result) {
  const Expected &expected = expected_.front();
  if (result == nullptr) {
    if (expected.kind == Expected::Kind::kSync) return false;
    expected_.pop_front();
    const Expected *next = expected_.empty() ? nullptr : &expected_.front();
    if (next != nullptr && next->kind == Expected::Kind::kRun && next->job &&
        next->job->script.stages[next->stage].streamed && PQsetSingleRowMode(connection_.get()) == 0) {
      fail("libpq cannot give single rows");
      return false;
    }
    return true;
  }
  const ExecStatusType status = PQresultStatus(result);
  const JobPtr job = expected.job;
  switch (status) {
    case PGRES_PIPELINE_SYNC: {
      const bool rolled_back = expected.rollback;
      expected_.pop_front();
      last_used_ = Clock::now();
      if (!job) {
        rolling_back_ = rolling_back_ && !rolled_back;
        return true;
      }
      jobs_.pop_front();
      if (!jobs_.empty()) jobs_.front()->begun = last_used_;
      if (left_open(*job) && !rolling_back_) {
        send_own("ROLLBACK");
        rolling_back_ = expected_.back().rollback = true;
      }
      events_.finished(*this, job);
      return true;
    }
    case PGRES_SINGLE_TUPLE:
      if (job) take_row(result, *job);
      return true;
    case PGRES_PIPELINE_ABORTED:
      if (expected.kind == Expected::Kind::kPrepare) prepared_.forget(expected.prepared);
      return true;
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
    case PGRES_NONFATAL_ERROR: {
      const Step step = job ? job->script.stages[expected.stage].step : Step::kEnd;
      DatabaseError error = error_of(result, step);
      if (error.sqlstate.empty() || ends_session(error.sqlstate)) {
        fail(error.message.empty() ? PQerrorMessage(connection_.get()) : error.message, !error.sqlstate.empty());
        return false;
      }
      if (expected.kind == Expected::Kind::kPrepare) prepared_.forget(expected.prepared);
      if (job) {
        job->answered = true;
        if (!job->outcome.error) job->outcome.error = std::move(error);
      }
      return true;
    }
    default:
      if (job) {
        job->answered = true;
        if (status == PGRES_TUPLES_OK && job->script.stages[expected.stage].wanted) {
          job->outcome.rows.push_back(rows_of(result));
        }
      }
      return true;
  }
}

}  // namespace nexus::bridge::pg
