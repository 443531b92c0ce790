// Parquet, as pyarrow reads it.
#include "unit/file/rig.hpp"

using namespace semel;
using namespace semel::test;

namespace {

const std::string read_parquet =
    "import pyarrow.parquet, sys\n"
    "table = pyarrow.parquet.read_table(sys.argv[1])\n"
    "print(table.schema.to_string())\n"
    "for row in table.to_pylist():\n"
    "  print([v.isoformat() if hasattr(v, 'isoformat') else v for v in row.values()])\n";

}  // namespace

TEST_CASE("Parquet has the columns' types, and nulls where a record has nothing") {
  FileRig rig;
  rig.options.form = file::Form::parquet;
  rig.options.schema = {"id int64", "d double", "b boolean", "at timestamp", "s", "pos string"};
  rig.options.rows.columns = {{"at", "@timestamp"}, {"pos", "@offset"}};
  const auto counts = contract::committed(rig.store(
      {R"({"id":9223372036854775807,"d":0.1,"b":true,"s":"\u00e4\"\n"})", R"({"id":"no"})",
       R"({"id":null,"s":{"k":[1, 2]}})", R"({"d":3,"b":false,"s":""})"}));
  CHECK(counts.rows == 3);
  CHECK(counts.dead_letters == 1);
  REQUIRE(rig.names() ==
          std::vector<std::string>{"clicks-3-00000000000000000000-00000000000000000004.parquet"});
  CHECK(answer_of({SEMEL_PYARROW, "-c", read_parquet, rig.dir / rig.names()[0]}) ==
        "id: int64\nd: double\nb: bool\nat: timestamp[us, tz=UTC]\ns: string\npos: string\n"
        "[9223372036854775807, 0.1, True, '2024-01-31T10:20:30.500000+00:00', '\u00e4\"\\n', '0']\n"
        "[None, None, None, '2024-01-31T10:20:30.500000+00:00', "
        "'{\"k\":[1, 2]}', '2']\n"
        "[None, 3.0, False, '2024-01-31T10:20:30.500000+00:00', '', "
        "'3']\n");
}

TEST_CASE("a Parquet file of many rows has several groups, and all of them") {
  FileRig rig;
  rig.options.form = file::Form::parquet;
  rig.options.schema = {"id int64", "note"};
  std::vector<std::string> values;
  for (int id = 0; id < 300'000; ++id) {
    values.push_back("{\"id\":" + std::to_string(id) + ",\"note\":\"note " + std::to_string(id) +
                     "\"}");
  }
  contract::committed(rig.store(values));
  const std::string count =
      "import pyarrow.parquet, pyarrow.compute, sys\n"
      "file = pyarrow.parquet.ParquetFile(sys.argv[1])\n"
      "ids = file.read()['id']\n"
      "print(file.num_row_groups, len(ids), sum(ids.to_pylist()), len(set(ids.to_pylist())))\n";
  CHECK(answer_of({SEMEL_PYARROW, "-c", count, rig.dir / rig.names()[0]}) ==
        "3 300000 44999850000 300000\n");
}
