// Filters in the language of AIP-160: text -> syntax -> checked against a resource -> evaluated
// over its messages, which is what a filter means -> lowered to what a store finds by itself.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/message.h"
#include "query/columns.h"
#include "store/selection.h"

namespace detente::query {

constexpr size_t kMaxFilterBytes = 8 << 10;
constexpr int kMaxFilterDepth = 50;  // of parentheses, functions' too, and of quoted filters
constexpr size_t kMaxOrderBytes = 1 << 10;
constexpr size_t kMaxOrderFields = 10;

// A filter as a store finds it: conditions that are true of every record that matches.
struct Lowered {
  store::Condition heads;
  store::Condition past;
  bool heads_exact = true;  // and of no other
  bool past_exact = true;
  std::vector<std::string> lowered;   // parts of the filter, in its own words
  std::vector<std::string> residual;  // those that are to be looked at in each record (of heads)
};

// A filter that was checked against a resource's message type, which must outlive it. Copies share
// it. Thread-safe.
class Filter {
 public:
  struct Node;

  Filter() = default;  // all records

  // INVALID_ARGUMENT with a violation of `field` for each thing that is wrong: what was expected,
  // at which byte, and the nearest field's name.
  static absl::StatusOr<Filter> Parse(absl::string_view text,
                                      const google::protobuf::Descriptor* type,
                                      absl::string_view field = "filter");

  bool everything() const { return root_ == nullptr; }
  // Of a whole record, with fields 1 to 7.
  bool Matches(const google::protobuf::Message& record) const;
  // `show_deleted`: deleted heads are read too.
  Lowered Lower(const Columns& columns, bool show_deleted) const;
  // As it was understood, with all its parentheses; empty = all.
  std::string Text() const;

 private:
  std::shared_ptr<const Node> root_;
};

// Judges the syntax alone, and prints the tree: one node a line, indented by two spaces a level.
// INVALID_ARGUMENT as above, with the byte.
absl::StatusOr<std::string> SyntaxTree(absl::string_view text, size_t* error_position = nullptr);

// An order (AIP-132): paths of fields that a record has at most one value of, each perhaps with
// `desc`; a date by its first possible day, then by its last. Empty = by name.
absl::StatusOr<std::vector<store::Order>> ParseOrder(absl::string_view text,
                                                     const google::protobuf::Descriptor* type,
                                                     const Columns& columns,
                                                     absl::string_view field = "order_by");

}  // namespace detente::query
