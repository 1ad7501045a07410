// The .proto files whose services and messages this binary serves, as the descriptor pool names
// them
// ("detente/v1/release.proto"). The build writes the definition, one for each binary's list.
#pragma once

#include "absl/types/span.h"

namespace detente {

absl::Span<const char* const> ProtoFiles();

}  // namespace detente
