// What differs between two states of a record, field by field.
#pragma once

#include "detente/v1/commit.pb.h"
#include "google/protobuf/message.h"
#include "google/protobuf/repeated_field.h"

namespace detente::query {

// Adds the changes that make `after` of `before`, in the order of the fields: fields of messages
// one by one, elements of lists by id, entries of maps by key; lists of scalars as a whole. Fields
// 1 to 7 of the record and what the server computes (OUTPUT_ONLY) are left out; so are unknown
// fields.
//
// To apply them: set each path to its new value, take away what has none, add new elements at the
// end of their list, and put a reordered list into the order of the ids given.
void Diff(const google::protobuf::Message& before, const google::protobuf::Message& after,
          google::protobuf::RepeatedPtrField<v1::FieldChange>* changes);

}  // namespace detente::query
