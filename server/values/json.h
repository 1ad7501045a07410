// Messages as JSON of which there is one for each content: ProtoJSON with proto field names and
// without defaults, in the form of RFC 8785 (keys sorted by UTF-16 code units, no spaces, numbers
// as ECMAScript writes them). Equal text means equal content, so it is compared and hashed.
//
// Unknown fields are left out. Of the well-known types, Timestamp, Duration, FieldMask and the
// wrappers have their ProtoJSON forms; the contract's records hold no others. A Timestamp or
// Duration that ProtoJSON can't express is written as the message it is, so that nothing fails.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"

namespace detente::values {

enum class JsonOf {
  kEverything,
  kContent,  // without OUTPUT_ONLY fields at any depth, and without a record's etag: what a caller
             // may write
  kForPeople,  // everything, but fields in the order of their numbers and reals as Python has them
};

// Of messages compiled into this binary: what is known of their types is kept for good.
void AppendJson(const google::protobuf::Message& message, JsonOf which, std::string* out);
std::string ToJson(const google::protobuf::Message& message, JsonOf which);

// The value of one field, whatever the field's own behavior: of a repeated one the whole list, of
// a map the object. It is written even if it is the default.
std::string FieldToJson(const google::protobuf::Message& message,
                        const google::protobuf::FieldDescriptor* field, JsonOf which);
// One element of a repeated field that is no map.
std::string ElementToJson(const google::protobuf::Message& message,
                          const google::protobuf::FieldDescriptor* field, int index, JsonOf which);

// A number as ECMAScript writes it; `"NaN"` and `"Infinity"` as ProtoJSON has them.
void AppendJsonNumber(double value, std::string* out);
// The same as Python writes it, with a point or an exponent: 53.0, 1e+16.
void AppendReal(double value, std::string* out);
// A text in quotes.
void AppendJsonString(absl::string_view text, std::string* out);
// Whether `a` comes before `b` by UTF-16 code units; both are UTF-8.
bool Utf16Less(absl::string_view a, absl::string_view b);

}  // namespace detente::values
