#include "library/careful_sink.hpp"

#include <fmt/format.h>
#include <new>
#include <utility>

#include <semel/forwarding.hpp>

namespace semel {

namespace {

/// `call` of the other, with what it throws as an error.
template <class Call>
auto carefully(const std::string& output, const char* name, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (...) {
    return tl::unexpected(thrown_by(output, name));
  }
}

class CarefulSession final : public ForwardingSession {
 public:
  CarefulSession(std::string output, std::unique_ptr<SinkSession> session)
      : ForwardingSession(std::move(session)), output_(std::move(output)) {}

  Result<std::optional<Refused>> begin(std::span<const Task> tasks) override {
    return carefully(output_, "begin()", [&] { return next().begin(tasks); });
  }
  Result<void> write(std::size_t task, std::span<const Record> records) override {
    return carefully(output_, "write()", [&] { return next().write(task, records); });
  }
  Result<void> set_aside(std::size_t task, const Record& record,
                         const Objection& objection) override {
    return carefully(output_, "set_aside()",
                     [&] { return next().set_aside(task, record, objection); });
  }
  Result<void> change_state(const StateChange& change) override {
    return carefully(output_, "change_state()", [&] { return next().change_state(change); });
  }
  Result<CommitResult> commit(std::span<const RangeEnd> ends) override {
    try {
      return next().commit(ends);
    } catch (...) {
      // It may have happened: the ledger says.
      auto error = thrown_by(output_, "commit()");
      error.kind = ErrorKind::in_doubt;
      return tl::unexpected(std::move(error));
    }
  }

 private:
  std::string output_;
};

class CarefulSink final : public ForwardingSink {
 public:
  CarefulSink(std::string output, std::unique_ptr<Sink> sink)
      : ForwardingSink(std::move(sink)), output_(std::move(output)) {}

  Result<TakenOver> take_over(const std::string& cluster_id) override {
    return carefully(output_, "take_over()", [&] { return next().take_over(cluster_id); });
  }
  Result<EnterResult> enter(std::span<const Progress> starts) override {
    return carefully(output_, "enter()", [&] { return next().enter(starts); });
  }
  Result<std::vector<LedgerEntry>> resolve(std::span<const Task> tasks) override {
    return carefully(output_, "resolve()", [&] { return next().resolve(tasks); });
  }
  Result<Alive> keep_alive() override {
    return carefully(output_, "keep_alive()", [&] { return next().keep_alive(); });
  }
  Result<bool> trim() override {
    return carefully(output_, "trim()", [&] { return next().trim(); });
  }
  Result<StateRead> read_state(const StateVersion& since, const SeeState& see) override {
    return carefully(output_, "read_state()", [&] { return next().read_state(since, see); });
  }
  Result<std::unique_ptr<SinkSession>> open_session() override {
    return carefully(output_, "open_session()", [&]() -> Result<std::unique_ptr<SinkSession>> {
      auto session = next().open_session();
      if (!session) return session;
      if (!*session) {
        return fail(ErrorKind::fatal, Cause::sink,
                    fmt::format("the sink of output {} made no session: open_session() has to "
                                "return one, or an error",
                                output_));
      }
      return std::unique_ptr<SinkSession>(
          std::make_unique<CarefulSession>(output_, *std::move(session)));
    });
  }

 private:
  std::string output_;
};

}  // namespace

Error thrown_by(const std::string& output, const char* call) {
  const auto text = [&](const char* what) {
    return fmt::format("the sink of output {} threw in {}: {}", output, call, what);
  };
  try {
    throw;
  } catch (const Failed& failed) {
    return failed.error();
  } catch (const std::bad_alloc&) {
    return {ErrorKind::retriable, Cause::sink, text("out of memory")};
  } catch (const std::exception& error) {
    return {ErrorKind::fatal, Cause::sink, text(error.what())};
  } catch (...) {
    return {ErrorKind::fatal, Cause::sink, text("something that is no std::exception")};
  }
}

Result<std::unique_ptr<Sink>> careful(const std::string& output, std::unique_ptr<Sink> sink) {
  if (!sink) {
    return fail(
        ErrorKind::fatal, Cause::sink,
        fmt::format("output {} has no sink: its factory has to return one, or an error", output));
  }
  return std::unique_ptr<Sink>(std::make_unique<CarefulSink>(output, std::move(sink)));
}

}  // namespace semel
