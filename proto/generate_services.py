#!/usr/bin/env python3
"""Writes the service of every resource: `X_service.proto` beside each `X.proto` that defines one.

The services say the same of every resource, so they are made from the resource's name. A resource
is a message with a google.api.resource option and citations. Run it after adding one; `--check`
fails where a file differs from what would be written. `--dir` names another folder of protos (a
test's own).
"""

import argparse
import pathlib
import re
import sys

RESOURCE = re.compile(
    r"message (?P<type>\w+) \{\s*option \(google\.api\.resource\) = \{\s*"
    r'type: "[^"]*"\s*pattern: "(?P<collection>\w+)/\{\w+\}"\s*'
    r'singular: "(?P<single>\w+)"\s*plural: "(?P<plural>\w+)"'
)

IMPORTS = ("detente/v1/evidence.proto", "detente/v1/values.proto")

TEMPLATE = """\
// Written by proto/generate_services.py; edit that.
syntax = "proto3";

package detente.v1;

{imports}
import "google/api/annotations.proto";
import "google/api/client.proto";
import "google/api/field_behavior.proto";
import "google/api/resource.proto";
import "google/protobuf/field_mask.proto";

// Reads and writes {plural}.
service {type}Service {{
  // Returns one {single}, also a deleted one.
  rpc Get{type}(Get{type}Request) returns ({type}) {{
    option (google.api.http) = {{get: "/v1/{{name={collection}/*}}"}};
    option (google.api.method_signature) = "name";
  }}

  // Returns a page of {plural} in the order of their names.
  rpc List{types}(List{types}Request) returns (List{types}Response) {{
    option (google.api.http) = {{get: "/v1/{collection}"}};
    option (google.api.method_signature) = "";
  }}

  // Creates a {single}.
  rpc Create{type}(Create{type}Request) returns ({type}) {{
    option (google.api.http) = {{
      post: "/v1/{collection}"
      body: "{single}"
    }};
    option (google.api.method_signature) = "{single},{single}_id";
  }}

  // Updates a {single}. A write that changes nothing makes no commit.
  rpc Update{type}(Update{type}Request) returns ({type}) {{
    option (google.api.http) = {{
      patch: "/v1/{{{single}.name={collection}/*}}"
      body: "{single}"
    }};
    option (google.api.method_signature) = "{single},update_mask";
  }}

  // Deletes a {single}, softly: Get still returns it, with `delete_time`.
  rpc Delete{type}(Delete{type}Request) returns ({type}) {{
    option (google.api.http) = {{delete: "/v1/{{name={collection}/*}}"}};
    option (google.api.method_signature) = "name";
  }}

  // Takes a deletion back.
  rpc Undelete{type}(Undelete{type}Request) returns ({type}) {{
    option (google.api.http) = {{
      post: "/v1/{{name={collection}/*}}:undelete"
      body: "*"
    }};
    option (google.api.method_signature) = "name";
  }}

  // Returns several {plural} at one revision, in the order of the names.
  rpc BatchGet{types}(BatchGet{types}Request) returns (BatchGet{types}Response) {{
    option (google.api.http) = {{get: "/v1/{collection}:batchGet"}};
  }}

  // Returns the states that a {single} has had, newest first.
  rpc List{type}Revisions(List{type}RevisionsRequest) returns (List{type}RevisionsResponse) {{
    option (google.api.http) = {{get: "/v1/{{name={collection}/*}}:listRevisions"}};
    option (google.api.method_signature) = "name";
  }}

  // Brings a {single} back to the content that it had at an earlier revision, as a new commit.
  // References are not checked: what has been deleted since stays deleted.
  rpc Rollback{type}(Rollback{type}Request) returns ({type}) {{
    option (google.api.http) = {{
      post: "/v1/{{name={collection}/*}}:rollback"
      body: "*"
    }};
    option (google.api.method_signature) = "name,revision";
  }}
}}

// The request of Get{type}.
message Get{type}Request {{
  // The {single}'s name.
  string name = 1 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.resource_reference) = {{type: "detente.dev/{type}"}}
  ];
  // At which state of the store; absent = the newest.
  ReadPoint at = 2;
  // Which fields to return; absent = all.
  google.protobuf.FieldMask read_mask = 3;
  // As this source has it: its values in place, what it does not speak of absent; empty = as we do.
  // A record that it does not cite has its identity alone: fields 1 to 7 and display_name.
  string as_told_by = 4 [(google.api.resource_reference) = {{type: "detente.dev/Source"}}];
  // Which value to take where sources disagree; not with `as_told_by`.
  Evidence.ValuePolicy value_policy = 5;
}}

// The request of List{types}.
message List{types}Request {{
  // At most so many; 0 = 50, more than 1,000 = 1,000. A page may end earlier, at 2 MiB.
  int32 page_size = 1;
  // `next_page_token` of the page before, with the other arguments as they were.
  string page_token = 2;
  // Which {plural}, in the language of AIP-160; empty = all.
  string filter = 3;
  // In which order (AIP-132); empty = by name.
  string order_by = 4;
  // Return deleted ones too.
  bool show_deleted = 5;
  // Which fields to return; absent = all.
  google.protobuf.FieldMask read_mask = 6;
  // At which state of the store; absent = the newest.
  ReadPoint at = 7;
  // Count all that match, into `total_size`.
  bool return_total_size = 8;
  // As this source has it: its values in place, what it does not speak of absent; empty = as we do.
  // Records that it does not cite are left out.
  string as_told_by = 9 [(google.api.resource_reference) = {{type: "detente.dev/Source"}}];
  // Which value to take where sources disagree; not with `as_told_by`.
  Evidence.ValuePolicy value_policy = 10;
  // Only those whose state of review is REVIEWED.
  bool reviewed_only = 11;
}}

// The response of List{types}.
message List{types}Response {{
  // The page.
  repeated {type} {plural} = 1;
  // For the next page; empty = this is the last.
  string next_page_token = 2;
  // How many match on all pages, if asked for.
  int32 total_size = 3;
  // The revision that the pages are read at.
  int64 revision = 4;
}}

// The request of Create{type}.
message Create{type}Request {{
  // The {single}; its `name` is empty or agrees with `{single}_id`.
  {type} {single} = 1 [(google.api.field_behavior) = REQUIRED];
  // Its id, `[a-z0-9]([a-z0-9-]{{0,61}}[a-z0-9])?`; absent = from its name, or made by the server.
  string {single}_id = 2;
  // Check everything, write nothing, return what would be.
  bool validate_only = 3;
  // A UUID or other text of at most 64 characters that makes a repeat of this request harmless.
  string request_id = 4;
  // Why, kept on the commit.
  string reason = 5;
}}

// The request of Update{type}.
message Update{type}Request {{
  // The {single}, with its name; its etag is checked if set.
  {type} {single} = 1 [(google.api.field_behavior) = REQUIRED];
  // Paths to write; `*` = all; absent = all mutable fields that are set.
  google.protobuf.FieldMask update_mask = 2;
  // Create it if there is none.
  bool allow_missing = 3;
  // Check everything, write nothing, return what would be.
  bool validate_only = 4;
  // A UUID or other text of at most 64 characters that makes a repeat of this request harmless.
  string request_id = 5;
  // Why, kept on the commit.
  string reason = 6;
}}

// The request of Delete{type}.
message Delete{type}Request {{
  // The {single}'s name.
  string name = 1 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.resource_reference) = {{type: "detente.dev/{type}"}}
  ];
  // Its etag, checked if set.
  string etag = 2;
  // Delete it although live records refer to it.
  bool force = 3;
  // Check everything, write nothing, return what would be.
  bool validate_only = 4;
  // A UUID or other text of at most 64 characters that makes a repeat of this request harmless.
  string request_id = 5;
  // Why, kept on the commit.
  string reason = 6;
}}

// The request of Undelete{type}.
message Undelete{type}Request {{
  // The {single}'s name.
  string name = 1 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.resource_reference) = {{type: "detente.dev/{type}"}}
  ];
  // Its etag, checked if set.
  string etag = 2;
  // Check everything, write nothing, return what would be.
  bool validate_only = 3;
  // A UUID or other text of at most 64 characters that makes a repeat of this request harmless.
  string request_id = 4;
  // Why, kept on the commit.
  string reason = 5;
}}

// The request of BatchGet{types}.
message BatchGet{types}Request {{
  // Their names, at most 100.
  repeated string names = 1 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.resource_reference) = {{type: "detente.dev/{type}"}}
  ];
  // At which state of the store; absent = the newest.
  ReadPoint at = 2;
  // Which fields to return; absent = all.
  google.protobuf.FieldMask read_mask = 3;
  // As this source has it: its values in place, what it does not speak of absent; empty = as we do.
  // A record that it does not cite has its identity alone: fields 1 to 7 and display_name.
  string as_told_by = 4 [(google.api.resource_reference) = {{type: "detente.dev/Source"}}];
  // Which value to take where sources disagree; not with `as_told_by`.
  Evidence.ValuePolicy value_policy = 5;
}}

// The response of BatchGet{types}.
message BatchGet{types}Response {{
  // The {plural}, in the order of the names; together at most 3 MiB.
  repeated {type} {plural} = 1;
  // The revision that they were read at.
  int64 revision = 2;
}}

// The request of List{type}Revisions.
message List{type}RevisionsRequest {{
  // The {single}'s name.
  string name = 1 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.resource_reference) = {{type: "detente.dev/{type}"}}
  ];
  // At most so many; 0 = 50, more than 1,000 = 1,000. A page may end earlier, at 2 MiB.
  int32 page_size = 2;
  // `next_page_token` of the page before, with the other arguments as they were.
  string page_token = 3;
  // Which fields to return; absent = all.
  google.protobuf.FieldMask read_mask = 4;
}}

// The response of List{type}Revisions.
message List{type}RevisionsResponse {{
  // The states, newest first; `revision` tells them apart.
  repeated {type} {plural} = 1;
  // For the next page; empty = this is the last.
  string next_page_token = 2;
}}

// The request of Rollback{type}.
message Rollback{type}Request {{
  // The {single}'s name.
  string name = 1 [
    (google.api.field_behavior) = REQUIRED,
    (google.api.resource_reference) = {{type: "detente.dev/{type}"}}
  ];
  // The store's revision to go back to; any at which the {single} was live.
  int64 revision = 2 [(google.api.field_behavior) = REQUIRED];
  // Its etag, checked if set.
  string etag = 3;
  // Check everything, write nothing, return what would be.
  bool validate_only = 4;
  // A UUID or other text of at most 64 characters that makes a repeat of this request harmless.
  string request_id = 5;
  // Why, kept on the commit.
  string reason = 6;
}}
"""


def services(root: pathlib.Path) -> dict[pathlib.Path, str]:
    """The text of every service file below `root`, by its path."""
    found = {}
    for path in sorted(root.rglob("*.proto")):
        text = path.read_text()
        if "repeated Citation citations = 12;" not in text:
            continue  # no record, as Commit and Snapshot
        for match in RESOURCE.finditer(text):
            names = match.groupdict()
            names["types"] = names["plural"][0].upper() + names["plural"][1:]
            files = {path.relative_to(root).as_posix(), *IMPORTS}
            names["imports"] = "\n".join(f'import "{file}";' for file in sorted(files))
            service = TEMPLATE.format(**names)
            found[path.with_name(path.stem + "_service.proto")] = service
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail on a difference")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    args = parser.parse_args()
    stale = [
        path
        for path, text in services(args.dir).items()
        if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        if args.check:
            print(f"{path}: is not what proto/generate_services.py writes", file=sys.stderr)
        else:
            path.write_text(services(args.dir)[path])
            print(path)
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
