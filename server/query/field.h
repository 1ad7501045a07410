// What a field holds, and the numbers in it.
#pragma once

#include <cstdint>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace detente::query {

enum class ValueKind {
  kText,
  kBool,
  kEnum,
  kWhole,    // signed
  kNatural,  // unsigned
  kReal,
  kTime,      // a Timestamp
  kDuration,  // a Duration
  kDay,       // a google.type.Date
  kDate,      // an UncertainDate
  kBytes,
  kMessage,  // any other
};
ValueKind KindOf(const google::protobuf::FieldDescriptor* field);

// Of kBool, kEnum, kWhole and kNatural, whose numbers of 64 bits are given as those bits; `index`
// of a repeated field.
int64_t WholeOf(const google::protobuf::Message& message,
                const google::protobuf::FieldDescriptor* field, int index = -1);
// Of kReal.
double RealOf(const google::protobuf::Message& message,
              const google::protobuf::FieldDescriptor* field, int index = -1);

}  // namespace detente::query
