// Sources that tests of the evidence look up.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "detente/v1/release.pb.h"
#include "detente/v1/source.pb.h"
#include "engine/derived/derived.h"
#include "engine/validate.h"
#include "evidence/dossier.h"
#include "evidence/fields.h"
#include "server/engine/testing.h"

namespace detente::evidence {

class Sources {
 public:
  void Add(const std::string& name, const std::string& text) {
    sources_[name] = testing::Proto<v1::Source>(text);
  }
  absl::StatusOr<const v1::Source*> Find(absl::string_view name) {
    ++lookups;
    const auto found = sources_.find(std::string(name));
    return found == sources_.end() ? nullptr : &found->second;
  }

  int lookups = 0;

 private:
  std::map<std::string, v1::Source> sources_;
};

// A record in the form that it is stored in.
inline v1::Release Stored(const std::string& text) {
  auto release = testing::Proto<v1::Release>(text);
  const absl::Status status = engine::ValidateRecord(testing::ResourceOf(release),
                                                     engine::Validate::kWhole, "release", &release);
  EXPECT_TRUE(status.ok()) << status;
  engine::Derive(&release);
  release.set_name("releases/r");
  return release;
}

inline query::Path At(absl::string_view text) {
  auto path = query::ParsePath(text, v1::Release::descriptor());
  EXPECT_TRUE(path.ok()) << text;
  return *path;
}

}  // namespace detente::evidence
