#include <semel/failed.hpp>

namespace semel::stream::detail {

// As <semel/stream/codec.hpp> declares it. Its templates want a newer compiler than this room does.
[[noreturn]] SEMEL_API void undecodable();

void undecodable() {
  throw Failed(
      {ErrorKind::fatal, Cause::state,
       "a value of the state has not the bytes that its stage writes: the state is damaged, "
       "or a stage of the same name in another program has written it"});
}

}  // namespace semel::stream::detail
