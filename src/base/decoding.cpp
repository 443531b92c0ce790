#include <semel/failed.hpp>
#include <semel/stream/codec.hpp>

namespace semel::stream::detail {

void undecodable() {
  throw Failed(
      {ErrorKind::fatal, Cause::state,
       "a value of the state has not the bytes that its stage writes: the state is damaged, "
       "or a stage of the same name in another program has written it"});
}

}  // namespace semel::stream::detail
