// The .proto files whose services and messages this binary serves, as the descriptor pool names
// them
// ("detente/v1/release.proto"). The build writes the definition, one for each binary's list.
#ifndef DETENTE_CMAKE_PROTO_FILES_H_
#define DETENTE_CMAKE_PROTO_FILES_H_

#include "absl/types/span.h"

namespace detente {

absl::Span<const char* const> ProtoFiles();

}  // namespace detente

#endif  // DETENTE_CMAKE_PROTO_FILES_H_
