// A store to write into, and what the checks say of it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detente/v1/commitment.pb.h"
#include "detente/v1/detention.pb.h"
#include "detente/v1/person.pb.h"
#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "detente/v1/tally.pb.h"
#include "findings/findings.h"
#include "server/engine/testing.h"

namespace detente::findings {

class FindingsTest : public ::testing::Test {
 protected:
  FindingsTest();

  // A record from text format, with a new id or in the place of the one that is there.
  template <typename T>
  void Put(const std::string& id, const std::string& text) {
    PutRecord(id, testing::Proto<T>(text));
  }
  void Delete(const std::string& name);

  // "WARNING description @ detentions/a status, detentions/a end_date", one for each finding.
  std::vector<std::string> Found(const std::string& check,
                                 std::optional<store::Revision> revision = std::nullopt,
                                 const std::string& record = "");
  store::Revision revision() { return engine_->View(std::nullopt)->revision; }

  std::unique_ptr<engine::Engine> engine_ = testing::OpenEngine();

 private:
  void PutRecord(const std::string& id, const google::protobuf::Message& record);
};

std::string ToLine(const Finding& finding);

}  // namespace detente::findings
