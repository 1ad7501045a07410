// Writes two records, reads them back, and shows what a refusal says:
//
//   example localhost:7400      to a server
//   example file:example.db     to a store in this process
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "detente/client/client.h"
#include "detente/client/details.h"
#include "detente/client/local.h"
#include "detente/client/remote.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "report.h"

namespace {

absl::StatusOr<std::unique_ptr<detente::Connection>> ConnectionTo(absl::string_view where) {
  if (absl::ConsumePrefix(&where, "file:")) return detente::Open(where, {.create = true});
  return detente::Connect(where, {.actor = "example", .timeout = absl::Seconds(10)});
}

absl::Status Write(const detente::Client& client) {
  detente::v1::Release release;
  release.set_display_name("Test release of 52");
  release.mutable_effective_date()->set_edtf("2025-09-11?");
  release.mutable_headcount()->set_best(52);
  auto created = client.Create(release, {.id = "xa-2025-09", .reason = "an example"});
  if (!created.ok()) return created.status();

  created->set_note("As announced.");
  auto updated = client.Update(*created);  // ABORTED if another has changed it meanwhile
  if (!updated.ok()) return updated.status();
  std::cout << updated->name() << " is at revision " << updated->revision() << "\n";

  detente::v1::Person person;
  person.set_display_name("Test Person 17");
  updated->set_note("");
  detente::Batch batch;  // one commit, or none
  batch.Create(person, "test-person-17").Update(*updated, {"note"});
  return client.BatchWrite(batch, {.reason = "an example"}).status();
}

absl::Status Read(const detente::Client& client) {
  const auto person = client.Get<detente::v1::Person>("test-person-17");
  if (!person.ok()) return person.status();
  std::cout << person->name() << " is " << person->display_name() << "\n";

  const auto before = client.Get<detente::v1::Release>("xa-2025-09", {.at = int64_t{2}});
  if (!before.ok()) return before.status();
  std::cout << "at revision 2 its note was \"" << before->note() << "\"\n";

  const auto report = Report(client, R"(possibly(effective_date, "2025-09"))");
  if (!report.ok()) return report.status();
  std::cout << *report;
  return absl::OkStatus();
}

void ShowRefusal(const detente::Client& client) {
  detente::v1::Release release;
  release.mutable_headcount()->set_low(5);
  release.mutable_headcount()->set_high(3);
  release.mutable_effective_date()->set_edtf("2025-13");
  const absl::Status status = client.Create(release).status();
  const detente::Details details = detente::DetailsOf(status);
  std::cout << "refused, " << detente::v1::ErrorReason_Name(details.reason) << ":\n";
  for (const detente::FieldViolation& violation : details.violations) {
    std::cout << "  " << violation.field << ": " << violation.description << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: example HOST:PORT | file:PATH\n";
    return 2;
  }
  auto connection = ConnectionTo(argv[1]);
  if (!connection.ok()) {
    std::cerr << connection.status().message() << "\n";
    return 1;
  }
  const detente::Client client(*std::move(connection));
  absl::Status status = Write(client);
  if (status.ok()) status = Read(client);
  if (!status.ok()) {
    std::cerr << status.message() << "\n";
    return 1;
  }
  ShowRefusal(client);
  return 0;
}
