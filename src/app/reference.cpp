// docs/reference/configuration.md
#include "config/reference.hpp"

#include "app/pipeline_config.hpp"

namespace semel::app {

namespace {

constexpr std::string_view introduction = R"(# Configuration

<!-- Made by `semel reference configuration` from the declarations in src/app and connectors. Do not edit: a test compares. -->

A pipeline is one TOML file. Four values and a name are enough:

```toml
name = "clicks"
[source.kafka]
brokers = "localhost:9092"
topics  = ["clicks"]
[sink.postgres]
dsn   = "postgresql://localhost/shop"
table = "clicks"
```

`semel check FILE` says whether everything is in order; `semel check FILE --show-config` prints every setting in effect,
passwords masked.

**Environment.** `${NAME}` in any string is replaced by the environment's variable; one that is not set is an error. A string that
came from the environment may stand for any type: `executors = "${EXECUTORS}"`. Write `$${` for `${` itself.

**Command line.** `--set key.path=value` (as often as needed) wins over the file: `--set batch.interval=1s --set
'source.kafka.topics=["clicks", "views"]'`. Values are TOML; quotes may be left out. What is given there is visible to other users
of the machine: keep passwords in the environment.

**Types.** A *duration* is a string such as `"250ms"`, `"5s"`, `"10m"`, `"2h"`, `"7d"`. A *size* is a string such as `"64MiB"`
(KiB, MiB, GiB, KB, MB, GB, B) or a number of bytes. A *choice* is one of the strings listed.

A key that does not exist, a value of the wrong type or out of range, a missing required setting: each is an error with file, line
and column, and exit code 2.
)";

}  // namespace

std::string reference_page() {
  return config::reference_page(schema(), introduction);
}

}  // namespace semel::app
