// How whoever calls something that waits gives it up.
#pragma once

#include <functional>

namespace semel::kafka {

/// Asked now and then by a call that waits, from its thread. True: it ends soon, with an error.
using Stop = std::function<bool()>;

}  // namespace semel::kafka
