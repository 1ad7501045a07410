// Values of leaves in a record, where lists are walked element by element: what several leaves
// share of a list, they take from the same element.
#pragma once

#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"
#include "google/protobuf/message.h"
#include "query/leaf.h"

namespace detente::query {

// Where a value stands: the message that holds it, and its index in a list, or -1. No message: one
// around it is absent.
struct Slot {
  const google::protobuf::Message* holder = nullptr;
  int index = -1;
  auto operator<=>(const Slot&) const = default;
};

class Unnest {
 public:
  // `leaves` must outlive it. The lists that the first `keys` of them go through are walked element
  // by element.
  Unnest(absl::Span<const Leaf* const> leaves, size_t keys);

  // Calls `visit` for each combination of elements, with the slots of each leaf: of a key exactly
  // one, of another one for each element of the lists that no key goes through, none where a list
  // is empty. False from it ends the walk.
  using Visit = absl::FunctionRef<bool(absl::Span<const std::vector<Slot>>)>;
  void Walk(const google::protobuf::Message& record, Visit visit) const;

 private:
  using FieldPath = std::vector<const google::protobuf::FieldDescriptor*>;
  struct List {
    FieldPath path;   // from the element of the parent, or from the record
    int parent = -1;  // the list around it
  };
  // A leaf from the element of the innermost list that is walked, or from the record.
  struct Way {
    const Leaf* leaf;
    int list = -1;
    FieldPath path;  // empty where the elements are the values
  };

  bool WalkList(const google::protobuf::Message& record, size_t list, std::vector<Slot>* elements,
                Visit visit) const;
  static void Collect(const google::protobuf::Message& message, const FieldPath& path, size_t at,
                      std::vector<Slot>* slots);

  std::vector<List> lists_;
  std::vector<Way> ways_;
};

}  // namespace detente::query
