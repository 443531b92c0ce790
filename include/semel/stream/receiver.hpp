// Records of senders that cannot send them again: received, kept in a log on this machine, and
// acknowledged once they are safe there. For <semel/stream.hpp>.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <semel/api.hpp>
#include <semel/error.hpp>

namespace semel::stream {

/// A record as a sender hands it over.
struct Received {
  std::string value{};               ///< any bytes
  std::optional<std::string> key{};  ///< any bytes; nothing: it has none
  std::int64_t timestamp_ms = -1;    ///< since 1970, UTC; -1: none
  /// Who numbers its records: what comes again with a number that is not above the highest that was
  /// kept of that sender is acknowledged, and not kept again. Up to 255 bytes.
  std::string sender{};
  std::uint64_t sequence = 0;  ///< from 1 to 2^62, growing; 0: not numbered
};

/// Where a receiver puts what it receives: a log on this machine. Any thread.
class SEMEL_API Inbox {
 public:
  /// Called once: when all of the records are on disk, or with why they are not. In a thread of the
  /// log's, or of the caller's: it must not wait for anything, nor throw.
  using Durable = std::function<void(const Result<void>&)>;

  virtual ~Inbox();
  /// Takes all of the records, in order, and returns; `durable` comes later. Waits as long as too
  /// much is there that no batch has committed (back-pressure), or too much comes in a second.
  /// False: the pipeline ends, nothing is taken, and `durable` is not called.
  virtual bool store(std::vector<Received> records, Durable durable) = 0;
  /// The same, and waits until they are on disk. unavailable where the pipeline ends.
  Result<void> store(std::vector<Received> records);

  /// For who hands over more before it knows that all before is kept. `failures` is what failures()
  /// said when its sender came: where there was another one since, nothing is kept, and `durable`
  /// says so. A numbered record that was kept behind one that was not would hide it: its sender
  /// sends it again, and it is taken for kept.
  virtual bool store_behind(std::uint64_t failures, std::vector<Received> records, Durable durable);
  /// How often what was taken was not kept.
  virtual std::uint64_t failures();
};

/// Takes records from senders. Where its run() ends with an error, or throws, it is called again
/// after a while, for ever.
class SEMEL_API Receiver {
 public:
  virtual ~Receiver();
  /// Receives until stop(), in a thread of its own.
  virtual Result<void> run(Inbox& inbox) = 0;
  /// run() is to return soon. Any thread, also before run(), and more than once.
  virtual void stop() noexcept = 0;
};

/// How much a receiver may take, and where it is kept.
struct ReceiverOptions {
  /// Records that no batch has committed; store() waits. Of a log on this machine only.
  std::int64_t pending_max = 1'000'000;
  std::int64_t records_per_second = 0;  ///< at most; 0: as many as come
  /// Empty: the log is on this machine. Else it is this topic of the cluster of [source.kafka],
  /// which any machine may go on with: a record is with all brokers in sync before its sender is
  /// told. Made where it is missing, of one partition, as is TOPIC.senders, which has the senders'
  /// numbers. Nobody else may write there; how long records stay, the topic says.
  std::string topic{};
};

/// Lines of text over TCP, from many senders at a time. `address`: "127.0.0.1:9500"; throws Failed
/// where it is none. Each line is a
/// record without its end ("\n" or "\r\n"); for each the sender gets a line "ok" once it is on
/// disk, in order. A sender whose first line is "sender NAME" begins each line with a number from 1
/// on and a space: what it sends again after a lost connection is kept once. A line may have 1 MiB;
/// whoever sends a longer one is cut off. run() fails where nobody can listen there.
SEMEL_API std::unique_ptr<Receiver> tcp_lines(std::string address);

/// POST to "/": each line of the body is a record. Answers 200 once all of them are on disk.
/// With the headers Semel-Sender and Semel-Sequence (a number from 1 on, of the first line; the
/// others follow) what is posted again is kept once; header Semel-Key is the key of all. A body may
/// have 8 MiB. As tcp_lines() for the rest.
SEMEL_API std::unique_ptr<Receiver> http_post(std::string address);

}  // namespace semel::stream
