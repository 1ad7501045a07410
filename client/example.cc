// Prints a release and who was freed with it:
//
//   detente-example localhost:7400 by-2025-12-13
#include <iostream>
#include <string>
#include <vector>

#include "detente/client/client.h"
#include "detente/client/remote.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"

namespace {

absl::Status Print(const std::string& server, const std::string& release_id) {
  absl::StatusOr<std::unique_ptr<detente::Connection>> connection = detente::Connect(server);
  if (!connection.ok()) return connection.status();
  const detente::Client client(*std::move(connection));

  const auto release = client.Get<detente::v1::Release>(release_id);
  if (!release.ok()) return release.status();
  std::cout << release->display_name() << " (" << release->effective_date().edtf() << ")\n";

  // All of them as they were when the release was last changed.
  std::vector<std::string> names;
  for (const auto& participant : release->participants()) names.push_back(participant.person());
  const auto persons = client.BatchGet<detente::v1::Person>(names, {.at = release->revision()});
  if (!persons.ok()) return persons.status();
  for (const detente::v1::Person& person : *persons) {
    std::cout << "  " << person.display_name() << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: detente-example HOST:PORT RELEASE\n";
    return 2;
  }
  if (const absl::Status status = Print(argv[1], argv[2]); !status.ok()) {
    std::cerr << status.ToString(absl::StatusToStringMode::kWithNoExtraData) << "\n";
    return 1;
  }
  return 0;
}
