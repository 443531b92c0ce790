#include "support/server_process.hpp"

#include <algorithm>
#include <stdexcept>

#include "support/temp_dir.hpp"

namespace semel::test {

Process start_server(const std::string& recipe, std::vector<std::string> arguments,
                     const std::string& log, const std::string& end_signal,
                     const std::function<bool()>& answers,
                     const std::map<std::string, std::string>& environment) {
  arguments.insert(arguments.begin(), std::string(SEMEL_SOURCE_ROOT) + "/scripts/lib/" + recipe);
  Process process({.argv = std::move(arguments),
                   .env = environment,
                   .output_file = log,
                   .own_session = true,
                   .end_signal = end_signal});
  bool ended = false;
  const bool ready = eventually(
      [&] {
        ended = !process.running();
        return ended || answers();
      },
      std::chrono::seconds(120));
  if (ready && !ended) return process;

  const std::string content = read_file(log);
  const std::size_t tail = content.size() > 4'000 ? content.size() - 4'000 : 0;
  throw std::runtime_error(recipe + (ended ? " ended" : " does not answer") + "; its log:\n" +
                           content.substr(tail));
}

}  // namespace semel::test
