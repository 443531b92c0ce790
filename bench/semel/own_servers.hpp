// Servers of the bench's own, where the user names none: on loopback only, gone with this process.
#pragma once

#include <string>

#include "bench/semel/child_process.hpp"
#include "bench/semel/work_directory.hpp"

namespace semel::bench {

struct OwnServer {
  ChildProcess process;
  std::string address;  ///< of a broker: HOST:PORT; of a database: a connection string
};

/// librdkafka's mock cluster with an empty topic, in a process of its own.
Result<OwnServer> start_broker(const WorkDirectory& directory, const std::string& topic,
                               int partitions);

/// What that process does. Never returns in good order: it waits for its end.
Result<void> be_broker(const std::string& topic, int partitions, const std::string& ready_file);

/// A new cluster by initdb, with the server's defaults. As an unprivileged user where this process
/// is root.
Result<OwnServer> start_postgres(const WorkDirectory& directory);

}  // namespace semel::bench
