#include "state/store.hpp"

#include <fmt/format.h>
#include <mutex>
#include <utility>
#include <vector>

namespace semel::state {

namespace {

using Changes = std::vector<Disk::Change>;

// Stored: do not change.
constexpr std::string_view key_of_base = "base";
constexpr std::string_view key_of_prepared = "prepared";
constexpr std::string_view key_of_prepared_delta = "prepared.delta";
constexpr std::string_view key_of_undo = "undo";
constexpr std::string_view key_of_undo_delta = "undo.delta";
constexpr std::string_view key_of_undo_before = "undo.before";

void put_meta(Changes& changes, std::string_view key, std::string value) {
  changes.push_back({Disk::Family::meta, std::string(key), std::move(value)});
}

void erase_meta(Changes& changes, std::initializer_list<std::string_view> keys) {
  for (const auto key : keys) changes.push_back({Disk::Family::meta, std::string(key), {}});
}

void put(Changes& changes, const Delta& delta) {
  for (const auto& [key, value] : delta) changes.push_back({Disk::Family::state, key, value});
}

}  // namespace

struct Store::Impl {
  std::unique_ptr<Disk> disk;
  mutable std::mutex mutex;  ///< of `stored`
  Stored stored;

  tl::unexpected<Error> unreadable(std::string_view what) const {
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("state in {}: {} cannot be read: it is damaged, or another version of "
                            "semel wrote it",
                            disk->path(), what));
  }

  Result<std::optional<Prepared>> read_prepared(std::string_view key) const {
    const auto text = disk->get(Disk::Family::meta, key);
    if (!text) return tl::unexpected(text.error());
    if (!*text) return std::optional<Prepared>();
    auto prepared = decode_prepared(**text);
    if (!prepared) return unreadable(key);
    return prepared;
  }
  Result<Delta> read_delta(std::string_view key) const {
    const auto text = disk->get(Disk::Family::meta, key);
    if (!text) return tl::unexpected(text.error());
    auto delta = *text ? decode_delta(**text) : std::nullopt;
    if (!delta) return unreadable(key);
    return *std::move(delta);
  }

  Result<void> load() {
    const auto base = disk->get(Disk::Family::meta, key_of_base);
    if (!base) return tl::unexpected(base.error());
    if (*base) {
      const auto version = decode_version(**base);
      if (!version) return unreadable(key_of_base);
      stored.base = *version;
    }
    auto prepared = read_prepared(key_of_prepared);
    if (!prepared) return tl::unexpected(prepared.error());
    auto undo = read_prepared(key_of_undo);
    if (!undo) return tl::unexpected(undo.error());
    stored.prepared = *std::move(prepared);
    stored.undo = *std::move(undo);
    return {};
  }

  /// The delta of that key without keys that begin so; nothing where it has none.
  Result<std::optional<Delta>> without(std::string_view key, std::string_view prefix) const {
    auto delta = read_delta(key);
    if (!delta) return tl::unexpected(delta.error());
    const auto gone = std::erase_if(
        *delta, [prefix](const auto& change) { return change.first.starts_with(prefix); });
    return gone == 0 ? std::optional<Delta>() : std::optional(*std::move(delta));
  }
  Result<void> remove_from(std::optional<Prepared>& kept, std::string_view key,
                           std::string_view key_of_delta, std::string_view prefix,
                           Changes& changes) const {
    if (!kept) return {};
    const auto delta = without(key_of_delta, prefix);
    if (!delta) return tl::unexpected(delta.error());
    if (!*delta) return {};
    auto bytes = encode(**delta);
    kept->checksum = checksum(bytes);
    put_meta(changes, key, encode(*kept));
    put_meta(changes, key_of_delta, std::move(bytes));
    return {};
  }
  Result<Changes> removal(std::string_view prefix) const {
    Changes changes;
    const auto read = disk->scan(prefix, [&](std::string_view key, std::string_view) {
      if (!key.starts_with(prefix)) return false;
      changes.push_back({Disk::Family::state, std::string(key), {}});
      return true;
    });
    if (!read) return tl::unexpected(read.error());
    return changes;
  }

  Result<void> write(const Changes& changes, bool sync, Stored then) {
    if (auto written = disk->write(changes, sync); !written) return written;
    const std::lock_guard lock(mutex);
    stored = std::move(then);
    return {};
  }
};

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() = default;

Result<std::unique_ptr<Store>> Store::open(const std::string& directory) {
  auto disk = open_disk(directory);
  if (!disk) return tl::unexpected(disk.error());
  return open(*std::move(disk));
}

Result<std::unique_ptr<Store>> Store::open(std::unique_ptr<Disk> disk) {
  auto impl = std::make_unique<Impl>();
  impl->disk = std::move(disk);
  if (auto loaded = impl->load(); !loaded) return tl::unexpected(loaded.error());
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Result<std::unique_ptr<Store>> Store::open_cache(const std::string& directory) {
  // Of one pipeline, all but one of which are about to be fenced.
  constexpr int beside_max = 10;
  for (int number = 1;; ++number) {
    const auto here = number == 1 ? directory : fmt::format("{}-{}", directory, number);
    auto disk = open_cache_disk(here);
    if (!disk) return tl::unexpected(disk.error());
    if (*disk) {
      return open(*std::move(disk));
    }
    if (number < beside_max) continue;
    return fail(ErrorKind::fatal, Cause::state,
                fmt::format("state in {}: {} processes have it and what is beside it: end them",
                            directory, beside_max));
  }
}

Result<std::unique_ptr<const Store>> Store::look(const std::string& directory) {
  auto disk = look_at_disk(directory);
  if (!disk) return tl::unexpected(disk.error());
  auto store = open(*std::move(disk));
  if (!store) return tl::unexpected(store.error());
  return std::unique_ptr<const Store>(*std::move(store));
}

const std::string& Store::path() const {
  return impl_->disk->path();
}

Stored Store::stored() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->stored;
}

Result<std::optional<std::string>> Store::get(std::string_view key) const {
  return impl_->disk->get(Disk::Family::state, key);
}

Result<void> Store::scan(std::string_view from, const Disk::See& see) const {
  return impl_->disk->scan(from, see);
}

Result<void> Store::prepare(Prepared prepared, const Delta& delta) {
  auto then = stored();
  if (prepared.parent != then.base) {
    return fail(ErrorKind::fatal, Cause::internal,
                fmt::format("a change of {} is to be prepared where the state is at {}",
                            to_string(prepared.parent), to_string(then.base)));
  }
  Changes changes;
  put_meta(changes, key_of_prepared, encode(prepared));
  put_meta(changes, key_of_prepared_delta, encode(delta));
  then.prepared = std::move(prepared);
  return impl_->write(changes, true, std::move(then));
}

Result<Delta> Store::prepared_delta() const {
  return impl_->read_delta(key_of_prepared_delta);
}

Result<void> Store::apply() {
  auto then = stored();
  if (!then.prepared || then.prepared->parent != then.base) {
    return fail(ErrorKind::fatal, Cause::internal, "there is no change of the state to apply");
  }
  const auto delta = prepared_delta();
  if (!delta) return tl::unexpected(delta.error());
  Delta before;
  for (const auto& [key, value] : *delta) {
    auto old = get(key);
    if (!old) return tl::unexpected(old.error());
    before[key] = *std::move(old);
  }
  Changes changes;
  put(changes, *delta);
  put_meta(changes, key_of_base, encode(then.prepared->version));
  put_meta(changes, key_of_undo, encode(*then.prepared));
  put_meta(changes, key_of_undo_delta, encode(*delta));
  put_meta(changes, key_of_undo_before, encode(before));
  erase_meta(changes, {key_of_prepared, key_of_prepared_delta});
  then.base = then.prepared->version;
  then.undo = std::move(then.prepared);
  then.prepared.reset();
  return impl_->write(changes, false, std::move(then));
}

Result<void> Store::drop() {
  auto then = stored();
  if (!then.prepared) return {};
  Changes changes;
  erase_meta(changes, {key_of_prepared, key_of_prepared_delta});
  then.prepared.reset();
  return impl_->write(changes, false, std::move(then));
}

Result<void> Store::take_back() {
  auto then = stored();
  if (!then.undo || then.undo->version != then.base) {
    return fail(ErrorKind::fatal, Cause::internal, "there is no change of the state to take back");
  }
  const auto before = impl_->read_delta(key_of_undo_before);
  if (!before) return tl::unexpected(before.error());
  const auto delta = impl_->read_delta(key_of_undo_delta);
  if (!delta) return tl::unexpected(delta.error());
  Changes changes;
  put(changes, *before);
  put_meta(changes, key_of_base, encode(then.undo->parent));
  put_meta(changes, key_of_prepared, encode(*then.undo));
  put_meta(changes, key_of_prepared_delta, encode(*delta));
  erase_meta(changes, {key_of_undo, key_of_undo_delta, key_of_undo_before});
  then.base = then.undo->parent;
  then.prepared = std::move(then.undo);
  then.undo.reset();
  // Synced: it is the prepared one again, which an output may have.
  return impl_->write(changes, true, std::move(then));
}

Result<void> Store::begin_empty(const Version& version) {
  auto changes = impl_->removal({});
  if (!changes) return tl::unexpected(changes.error());
  put_meta(*changes, key_of_base, encode(version));
  erase_meta(*changes, {key_of_prepared, key_of_prepared_delta, key_of_undo, key_of_undo_delta,
                        key_of_undo_before});
  return impl_->write(*changes, true, {.base = version, .prepared = {}, .undo = {}});
}

Result<void> Store::call_it(const Version& version) {
  Changes changes;
  put_meta(changes, key_of_base, encode(version));
  erase_meta(changes, {key_of_prepared, key_of_prepared_delta, key_of_undo, key_of_undo_delta,
                       key_of_undo_before});
  return impl_->write(changes, true, {.base = version, .prepared = {}, .undo = {}});
}

Result<void> Store::remove_all(std::string_view prefix) {
  auto then = stored();
  auto changes = impl_->removal(prefix);
  if (!changes) return tl::unexpected(changes.error());
  auto removed =
      impl_->remove_from(then.prepared, key_of_prepared, key_of_prepared_delta, prefix, *changes);
  if (removed) {
    removed = impl_->remove_from(then.undo, key_of_undo, key_of_undo_delta, prefix, *changes);
  }
  if (!removed) return removed;
  if (then.undo) {
    const auto before = impl_->without(key_of_undo_before, prefix);
    if (!before) return tl::unexpected(before.error());
    if (*before) put_meta(*changes, key_of_undo_before, encode(**before));
  }
  return changes->empty() ? Result<void>() : impl_->write(*changes, true, std::move(then));
}

Result<void> Store::begin_load() {
  Changes changes;
  put_meta(changes, key_of_base, encode(no_version));
  return impl_->write(changes, false, {.base = no_version, .prepared = {}, .undo = {}});
}

Result<void> Store::forget() {
  constexpr std::size_t at_once = 10'000;
  // What has gone already is not passed over again and again.
  std::string from;
  while (true) {
    Changes changes;
    const auto read = impl_->disk->scan(from, [&](std::string_view key, std::string_view) {
      changes.push_back({Disk::Family::state, std::string(key), {}});
      return changes.size() < at_once;
    });
    if (!read) return read;
    if (changes.empty()) return {};
    from = changes.back().key;
    if (auto written = impl_->disk->write(changes, false); !written) return written;
  }
}

Result<void> Store::load(std::span<const StateRow> rows) {
  Changes changes;
  for (const auto& row : rows) {
    changes.push_back({Disk::Family::state, std::string(row.key),
                       row.value ? std::optional<std::string>(*row.value) : std::nullopt});
  }
  return impl_->disk->write(changes, false);
}

Result<void> Store::end_load(const Version& version) {
  Changes changes;
  put_meta(changes, key_of_base, encode(version));
  return impl_->write(changes, true, {.base = version, .prepared = {}, .undo = {}});
}

Result<void> Store::advance(const Version& version, const Delta& delta) {
  Changes changes;
  put(changes, delta);
  put_meta(changes, key_of_base, encode(version));
  return impl_->write(changes, false, {.base = version, .prepared = {}, .undo = {}});
}

Result<void> Store::checkpoint(const std::string& directory) const {
  return impl_->disk->checkpoint(directory);
}

}  // namespace semel::state
