// Encodes the records of one shape once to warm up and once to be counted: run by
// bench/instructions/run under callgrind, which counts inside measured_loop() only.
#include <gnu/libc-version.h>
#include <simdjson.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "encode_loop.hpp"
#include "shapes.hpp"

/// By this name callgrind finds it.
extern "C" [[gnu::noinline]] void measured_loop(semel::shapes::EncodeLoop& loop,
                                                const semel::shapes::Records& records) {
  loop.write(records.all());
}

namespace {

using namespace semel::shapes;

/// What the figures depend on, apart from semel.
void print_toolchain() {
  const simdjson::implementation& json = *simdjson::get_active_implementation();
  fmt::print(R"({{"compiler":"{}","flags":"{}","simdjson":"{}.{}.{}","libc":"{}"}})",
             SEMEL_COMPILER, SEMEL_FLAGS, static_cast<int>(simdjson::SIMDJSON_VERSION_MAJOR),
             static_cast<int>(simdjson::SIMDJSON_VERSION_MINOR),
             static_cast<int>(simdjson::SIMDJSON_VERSION_REVISION), gnu_get_libc_version());
  fmt::print("\n");
  if (json.supported_by_runtime_system()) return;
  throw std::runtime_error(fmt::format("this CPU cannot run simdjson's \"{}\"", json.name()));
}

void measure(const Shape& shape) {
  const Records records(shape, shape.records);
  EncodeLoop loop(shape, records.tp());
  loop.write(records.all());
  measured_loop(loop, records);
  fmt::print(R"({{"records":{},"value_bytes":{},"rows":{},"bad":{},"row_bytes":{}}})"
             "\n",
             records.all().size(), records.value_bytes(), loop.rows() / 2, loop.bad() / 2,
             loop.row_bytes() / 2);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::string_view what = argc == 2 ? argv[1] : "--help";
    if (what == "--toolchain") {
      print_toolchain();
    } else if (what == "--shapes") {
      for (const Shape& shape : all_shapes()) fmt::print("{}\t{}\n", shape.name, shape.what);
    } else if (what == "--help") {
      fmt::print("usage: encode-instructions SHAPE | --shapes | --toolchain\n");
      return argc == 2 ? 0 : 2;
    } else {
      measure(shape_of(what));
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
