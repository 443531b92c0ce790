// Which ledger is a pipeline's: the table of docs/decisions/0008, row by row.
#include "postgres/ledger/ledger_place.hpp"

#include "support/catch.hpp"

using namespace semel;
using namespace semel::postgres;

namespace {

const Job our_job{
    .target = "\"public\".\"t\"", .target_oid = 7, .topics = "clicks", .mapping = "m"};
const Job others_job{
    .target = "\"app\".\"u\"", .target_oid = 8, .topics = "clicks", .mapping = "m"};

LedgerWanted wanted(const std::string& configured = "") {
  return {.pipeline = "pipe",
          .schema = configured,
          .owners_table = "semel_owners",
          .first_schema = "first",
          .job = our_job};
}

/// A ledger at this place of the search path (0: not on it).
LedgerSeen seen(const std::string& schema, int place, bool holds = false,
                std::optional<Job> job = std::nullopt) {
  return {.schema = schema,
          .owners_table = "semel_owners",
          .place = place,
          .readable = true,
          .holds = holds,
          .job = std::move(job)};
}

std::string chosen(const std::vector<LedgerSeen>& ledgers, const std::string& configured = "") {
  const auto choice = choose_ledger(wanted(configured), ledgers);
  if (choice) return choice->schema;
  CHECK(choice.error().kind == ErrorKind::fatal);
  return "refused: " + choice.error().message;
}

bool refused(const std::string& answer, const std::vector<std::string>& named) {
  bool all = answer.starts_with("refused: ");
  for (const auto& name : named) all = all && answer.find("\"" + name + "\".") != std::string::npos;
  return all;
}

}  // namespace

TEST_CASE("a ledger that holds the pipeline is taken, wherever on the path it stands") {
  CHECK(chosen({seen("a", 1), seen("b", 2, true), seen("c", 3)}) == "b");
  CHECK(chosen({seen("c", 3), seen("b", 2, true, our_job), seen("a", 1)}) == "b");
}

TEST_CASE("a ledger that is not on the path is taken where it feeds the same table") {
  CHECK(chosen({seen("a", 1), seen("b", 0, true, our_job)}) == "b");
  auto renamed = our_job;
  renamed.target = "\"public\".\"old_name\"";
  CHECK(chosen({seen("b", 0, true, renamed)}) == "b");
  auto made_anew = our_job;
  made_anew.target_oid = 9;
  CHECK(chosen({seen("b", 0, true, made_anew)}) == "b");
  // One that does not remember its table may be ours; one that feeds another table is not.
  CHECK(refused(chosen({seen("a", 1), seen("b", 0, true)}), {"b"}));
  CHECK(chosen({seen("a", 1), seen("b", 0, true, others_job)}) == "a");
}

TEST_CASE("two ledgers that hold the pipeline are refused unless they feed different tables") {
  CHECK(refused(chosen({seen("a", 1, true), seen("b", 2, true)}), {"a", "b"}));
  CHECK(refused(chosen({seen("a", 1, true, our_job), seen("b", 0, true, our_job)}), {"a", "b"}));
  CHECK(refused(chosen({seen("b", 0, true, our_job), seen("c", 0, true, our_job)}), {"b", "c"}));
  CHECK(chosen({seen("a", 1, true, our_job), seen("b", 2, true, others_job)}) == "a");
}

TEST_CASE("a ledger that cannot be read may hold the pipeline, so that no new one is made") {
  auto hidden = seen("hidden", 0);
  hidden.readable = false;
  CHECK(refused(chosen({seen("a", 1), hidden}), {"hidden"}));
  // Where it is known, nobody asks.
  CHECK(chosen({seen("a", 1, true), hidden}) == "a");
  CHECK(chosen({hidden}, "mine") == "mine");
}

TEST_CASE("where no ledger holds the pipeline the first of the path is taken, or a new one made") {
  CHECK(chosen({seen("b", 2), seen("a", 1), seen("off", 0)}) == "a");
  CHECK(chosen({seen("off", 0)}) == "first");
  CHECK(chosen({}) == "first");
  auto nowhere = wanted();
  nowhere.first_schema = "";
  CHECK_FALSE(choose_ledger(nowhere, {}));
}

TEST_CASE("a schema that is configured is somebody's word, but makes no second ledger") {
  CHECK(chosen({seen("a", 1), seen("b", 0)}, "b") == "b");
  CHECK(chosen({}, "b") == "b");
  CHECK(refused(chosen({seen("a", 1, true)}, "b"), {"a"}));
  CHECK(refused(chosen({seen("a", 1, true, our_job), seen("b", 2)}, "b"), {"a"}));
  CHECK(chosen({seen("a", 1, true, others_job), seen("b", 2)}, "b") == "b");
  CHECK(
      refused(chosen({seen("a", 1, true, our_job), seen("b", 2, true, our_job)}, "b"), {"a", "b"}));
  CHECK(chosen({seen("a", 1, true, others_job), seen("b", 2, true, our_job)}, "b") == "b");
}

TEST_CASE("ledgers whose tables have other names count as long as the pipeline is known nowhere") {
  auto other_names = seen("a", 1, true, our_job);
  other_names.owners_table = "their_owners";
  CHECK(refused(chosen({other_names, seen("a", 1)}), {"a"}));
}
