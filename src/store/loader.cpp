#include "store/shared.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace semel::store {

Result<Loader> Loader::make(Store& store, const Setup& setup) {
  Result<std::unique_ptr<Target>> target;
  // Of one moment: else a table that changes in between has the new version with its old columns.
  auto version = in_transaction(store, Access::reading, [&]() -> Result<std::string> {
    target = store.target();
    if (!target) return tl::unexpected(target.error());
    return (*target)->version();
  });
  if (!version) return tl::unexpected(version.error());
  if ((*target)->columns().empty()) {
    return fail(ErrorKind::fatal, Cause::sink,
                fmt::format("there is no table {} in {}: make it, or correct {}.table",
                            setup.options.table, setup.place, setup.section));
  }
  const auto setting = setup.section + ".columns";
  auto mapped = record::map_columns((*target)->columns(), setup.options.columns, setting,
                                    setup.options.table);
  if (!mapped) return tl::unexpected(mapped.error());
  auto reader =
      record::Reader::make(*std::move(mapped), setup.options.policy, *setup.context.format, setting,
                           setup.context.key_format.get());
  if (!reader) return tl::unexpected(reader.error());
  return Loader{*std::move(target), *std::move(reader), *std::move(version)};
}

Result<bool> Loader::fits(Store& store) {
  auto now = target->version();
  if (!now) return tl::unexpected(now.error());
  if (*now == version) return true;
  auto again = store.target();
  if (!again) return tl::unexpected(again.error());
  const auto same = std::ranges::equal(
      (*again)->columns(), target->columns(),
      [](const auto& a, const auto& b) { return a.name == b.name && a.type_name == b.type_name; });
  target = *std::move(again);
  version = *std::move(now);
  return same;
}

}  // namespace semel::store
