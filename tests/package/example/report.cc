#include "report.h"

#include "absl/strings/str_cat.h"
#include "detente/v1/release.pb.h"

absl::StatusOr<std::string> Report(const detente::Client& client, absl::string_view filter) {
  std::string report;
  for (const absl::StatusOr<detente::v1::Release>& release :
       client.List<detente::v1::Release>({.filter = std::string(filter), .order_by = "name"})) {
    if (!release.ok()) return release.status();
    absl::StrAppend(&report, release->name(), " on ", release->effective_date().edtf(), ": ",
                    release->headcount().best(), "\n");
  }
  return report;
}
