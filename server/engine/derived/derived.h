// Fields that the server computes of a record's own fields, registered by resource: the one place
// where code knows what a resource means.
#pragma once

#include "google/protobuf/message.h"

namespace detente::engine {

// Fills in the derived fields of a validated record. Reads nothing but the record.
void Derive(google::protobuf::Message* record);

}  // namespace detente::engine
