// Streams: records of Kafka through functions of yours into one or several outputs, exactly once.
//
//   semel::stream::Pipeline pipeline(semel::Config::load("clicks.toml").value());
//   pipeline.direct_stream({"clicks"})
//       .map(semel::json::as<Click>())
//       .key_by([](const Click& click) { return click.user; })
//       .map_values([](const Click&) { return std::uint64_t{1}; })
//       .reduce_by_key(std::plus<>())
//       .to("counts");
//   auto done = pipeline.run();
//
// "counts" is the name of an output: what its section says, [sink.postgres] output = "counts". One
// that says none is called as its connector ("sqlite", "kafka"), that of PostgreSQL "default"; a
// sink of the program's has OwnOutput::name.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <semel/api.hpp>
#include <semel/config.hpp>
#include <semel/failed.hpp>
#include <semel/json.hpp>
#include <semel/listener.hpp>
#include <semel/log.hpp>
#include <semel/pipeline.hpp>
#include <semel/snapshot.hpp>
#include <semel/stream/keyed.hpp>
#include <semel/stream/receiver.hpp>
#include <semel/stream/step.hpp>
#include <semel/stream/stream.hpp>

namespace semel::stream {

/// What a program brings to a stream's pipeline beside its configuration. All of it is optional.
struct Setup {
  LogCallback log{};                             ///< as PipelineSetup::log
  std::shared_ptr<PipelineListener> listener{};  ///< as PipelineSetup::listener; of output "stream"
  std::vector<OwnOutput> outputs{};              ///< as PipelineSetup::outputs
  bool once = false;                             ///< stop at the ends that are seen at the start
  bool accept_changed_target = false;            ///< as PipelineSetup::accept_changed_target
  /// Where the outputs have counted with a state that is not here, nor at its home, or not theirs:
  /// begin with an empty one at the place where they stand; what is on this machine is copied to a
  /// directory beside it. Else run() ends, Cause::state. As `semel state FILE empty`.
  bool begin_with_empty_state = false;
  std::vector<std::string> drop_state{};  ///< names of stages that there are no more: forget theirs
};

/// Files whose lines are read.
struct FileOptions {
  std::string directory{};     ///< folders in it are not looked into
  std::string pattern = ".*";  ///< regular expression (ECMAScript) for the whole name
  /// Milliseconds. A file is read once its size has been the same for so long, or once there is a
  /// file NAME.done; 0: at once, where files are moved into the folder when they are whole.
  std::int64_t settled_after_ms = 10'000;
};

/// How describe() draws.
enum class Drawing : std::uint8_t {
  text,  ///< a line per stage
  dot,   ///< for Graphviz
};

/// Streams from topics to outputs. The configuration says where Kafka is, and has a [sink.*] for
/// each output that a stream leads to; topics are named here, not there.
///
/// All outputs take the same batches, each in a transaction of its own with its ledger; after a
/// crash between two of them, a batch is computed again for those that lack it. Where a row comes
/// of more than one record, or a record makes more than one row, or there are several outputs, all
/// ranges of a batch are one transaction per output, and one thread computes it; else executors
/// work side by side. Where a function gives other results when it is called again, outputs may
/// show both: each record is in each output once, but what was made of it is of one call or the
/// other.
///
/// What stages remember (update_state_by_key and its like) is in a folder of `state_dir`, or by the
/// setting `state` in one of the outputs, and changes with them: each record is counted in it once,
/// through every crash. Which to choose, and what to do where it is lost: docs/guides/streams.md. A
/// pipeline that remembers computes one batch at a time, in one thread.
///
/// Not thread safe, but for request_stop(), started(), snapshot() and checkpoint(), which any
/// thread may call while it lives. Installs no signal handler, and never ends the process.
class SEMEL_API Pipeline {
 public:
  /// Checks nothing yet.
  explicit Pipeline(Config config, Setup setup = {});
  Pipeline(Pipeline&&) noexcept;             ///< nothing but the destructor for what was moved from
  Pipeline& operator=(Pipeline&&) noexcept;  ///< ends what this was
  /// As close().
  ~Pipeline();

  /// The records of these topics. Throws Failed without a topic, or once run() was called.
  Stream<Message, detail::FromSource> direct_stream(std::vector<std::string> topics,
                                                    std::string_view name = {});
  /// The records of all topics whose whole name matches the regular expression (ECMAScript), also
  /// of those that are made later. Throws Failed where it is none, or empty.
  Stream<Message, detail::FromSource> direct_stream_matching(std::string pattern,
                                                             std::string_view name = {});

  /// The records of these partitions only. Fatal in run() where one of them is not there.
  Stream<Message, detail::FromSource> direct_stream_of(std::vector<TopicPartition> partitions,
                                                       std::string_view name = {});

  // Sources beside Kafka. Each is one partition of a topic of its own: names may have letters,
  // digits, dot, _ and -. A pipeline may have several of them, with Kafka or without it; without,
  // the configuration needs no [source.kafka].

  /// What a receiver takes from senders who cannot send it again. It is on disk, in a log in the
  /// folder of the pipeline's state, before the sender is told so; from there on it is read as from
  /// Kafka. Only one process can have the log. Topic "+received.NAME". With ReceiverOptions::topic
  /// the log is that topic of Kafka's, and whoever starts with it last has it.
  Stream<Message, detail::FromSource> receiver_stream(std::string_view name,
                                                      std::unique_ptr<Receiver> receiver,
                                                      ReceiverOptions options = {});
  /// The lines of the files of a folder, each once; a line's key is the file's name. A file that is
  /// whole is taken into a catalogue in the folder of the pipeline's state, in the order of names
  /// where several are new. Where it changes or vanishes before its lines are committed, records
  /// are lost, and run() ends (on_data_loss); afterwards it may go. Topic "+files.NAME".
  Stream<Message, detail::FromSource> file_stream(std::string_view name, FileOptions files);
  /// Records of the program's own, in this order. They are in memory: a program that starts again
  /// brings the same ones from the first on, and what was committed is passed over. Topic
  /// "+queue.NAME".
  Stream<Message, detail::FromSource> queue_stream(std::string_view name,
                                                   std::vector<Received> records);

  /// Runs in the caller's thread until request_stop(), until Setup::once is done, or until an error
  /// that only people can mend, as semel::Pipeline::run(). Fatal, Cause::configuration: a stream
  /// leads to an output that there is not, an output has no stream, or no stream leads anywhere.
  /// What a function for whole batches throws is fatal, Cause::program, and so is what a copy, a
  /// hash or a comparison throws that is needed at a batch's end. Once; from then on a stream
  /// that was kept takes no stage and no output: it throws Failed, Cause::program.
  Result<Snapshot> run();

  /// run() finishes and commits the batch that is being read, and returns. As
  /// semel::Pipeline::request_stop().
  void request_stop() noexcept;
  /// Ends threads and sessions, and lets go of the state: another Pipeline may have it. As
  /// semel::Pipeline::close().
  void close() noexcept;
  /// A copy of what the stages remember, as it is now, in a directory that is not there yet; the
  /// pipeline goes on meanwhile, but for what close() waits for it. `semel state FILE restore` puts
  /// it in place. On the file system of `state_dir` it costs little. Fatal: Cause::program where
  /// there is no state, or it is in an output, or the pipeline does not run; Cause::state where it
  /// cannot be written.
  Result<void> checkpoint(const std::string& directory) const;
  /// Whether the start is over.
  bool started() const noexcept;
  /// What was done: of the records that were read, and rows and dead letters of all outputs.
  Snapshot snapshot() const;
  /// As semel::Pipeline::metrics_text(); empty before run().
  std::string metrics_text() const;

  /// The stages and how they are connected, as they were said so far.
  std::string describe(Drawing drawing = Drawing::text) const;

  struct Content;                  ///< For the library's own use.
  const Content& content() const;  ///< For the library's own use.

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace semel::stream
