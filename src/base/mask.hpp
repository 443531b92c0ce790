// What stands for a secret, wherever one is shown.
#pragma once

namespace semel {

inline constexpr auto mask = "***";

}  // namespace semel
