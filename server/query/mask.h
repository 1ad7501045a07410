// Field masks of reads (AIP-157) and updates (AIP-134), in the grammar of paths.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "google/protobuf/field_mask.pb.h"
#include "google/protobuf/message.h"
#include "query/path.h"

namespace detente::query {

constexpr int kMaxMaskPaths = 200;

class Mask {
 public:
  // Everything.
  Mask() = default;
  // `field` is the request's field, for error messages. `*` alone is everything.
  static absl::StatusOr<Mask> Parse(const google::protobuf::FieldMask& mask,
                                    const google::protobuf::Descriptor* descriptor,
                                    absl::string_view field);
  // What the paths name.
  static Mask Of(std::vector<Path> paths);
  // The top-level fields of `message` that are set.
  static Mask OfSetFields(const google::protobuf::Message& message);

  bool everything() const { return everything_; }
  const std::vector<Path>& paths() const { return paths_; }

  // Clears what the mask does not name.
  void Project(google::protobuf::Message* message) const;

  // Writes what the mask names from `source` into `target`: set where source has it, cleared where
  // it has not. A named element that only the source has is added, one that only the target has is
  // removed. Fails where a path leads through an element that either lacks.
  // `field` is the request's field, for error messages.
  absl::Status Update(const google::protobuf::Message& source, google::protobuf::Message* target,
                      absl::string_view field = "update_mask") const;

 private:
  bool everything_ = true;
  std::vector<Path> paths_;
};

}  // namespace detente::query
