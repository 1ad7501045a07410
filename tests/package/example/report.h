// How many were freed, by the releases that a filter finds.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "detente/client/client.h"

absl::StatusOr<std::string> Report(const detente::Client& client, absl::string_view filter);
