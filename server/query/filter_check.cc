#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"
#include "query/filter.h"
#include "query/filter_habits.h"
#include "query/filter_node.h"
#include "query/filter_syntax.h"
#include "query/nearest.h"
#include "values/wildcard.h"
#include "values/words.h"

namespace detente::query {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using Node = Filter::Node;

constexpr int kMaxFaults = 100;
constexpr size_t kMaxIdBytes = 63;
constexpr absl::string_view kFunctions[] = {"any",   "possibly",  "certainly",
                                            "cites", "refers_to", "matches_name"};

struct Found {
  FilterPath path;
  bool repeated = false;                   // leads to any number of values
  const FieldDescriptor* field = nullptr;  // the last; of a map's entry, its value
  bool map = false;                        // the whole map
};

Operand OperandOf(const Syntax& member) {
  Operand operand;
  operand.position = member.position;
  for (const Word& word : member.words) {
    if (&word != member.words.data()) {
      operand.value.push_back('.');
      operand.pattern.push_back('.');
      operand.places.push_back(word.begin);
    }
    operand.value += word.value;
    operand.pattern += word.pattern;
    operand.places.insert(operand.places.end(), word.places.begin(), word.places.end());
    operand.quoted = operand.quoted || word.quoted;
  }
  return operand;
}

std::string PathText(const Syntax& member) {
  std::string text;
  for (const Word& word : member.words) absl::StrAppend(&text, text.empty() ? "" : ".", word.value);
  return Shown(text);
}

bool IsId(absl::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes || id.front() == '-' || id.back() == '-') return false;
  for (const char c : id) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

bool IsCollection(absl::string_view text) {
  if (text.empty() || !absl::ascii_islower(text[0])) return false;
  for (const char c : text) {
    if (!absl::ascii_isalpha(c)) return false;
  }
  return true;
}

class Checker {
 public:
  explicit Checker(std::vector<Fault>* faults) : faults_(faults) {}

  // `inside`: of an element, not of a whole record. `depth` is how deep the syntax stands at most.
  bool Check(const Syntax& syntax, const Descriptor* type, bool inside, int depth, Node* out) {
    switch (syntax.kind) {
      case Syntax::Kind::kAnd:
      case Syntax::Kind::kSequence:
        return All(syntax, type, inside, depth, Node::Kind::kAnd, out);
      case Syntax::Kind::kOr:
        return All(syntax, type, inside, depth, Node::Kind::kOr, out);
      case Syntax::Kind::kNot:
        out->kind = Node::Kind::kNot;
        return Check(syntax.children[0], type, inside, depth, &out->children.emplace_back());
      case Syntax::Kind::kCompare:
        return Compare(syntax, type, out);
      case Syntax::Kind::kMember:
        return Bare(syntax, type, inside, out);
      case Syntax::Kind::kFunction:
        return Function(syntax, type, inside, depth, out);
    }
    return false;
  }

 private:
  bool Fail(size_t position, std::string what) {
    if (faults_->size() < kMaxFaults) faults_->push_back({position, std::move(what)});
    return false;
  }
  bool Fail(Fault fault) {
    if (faults_->size() < kMaxFaults) faults_->push_back(std::move(fault));
    return false;
  }

  // Flattens what is of the same kind.
  static void Add(Node child, Node* out) {
    if (child.kind != out->kind) {
      out->children.push_back(std::move(child));
      return;
    }
    for (Node& below : child.children) out->children.push_back(std::move(below));
  }

  bool All(const Syntax& syntax, const Descriptor* type, bool inside, int depth, Node::Kind kind,
           Node* out) {
    out->kind = kind;
    bool ok = true;
    for (const Syntax& child : syntax.children) {
      Node node;
      ok = Check(child, type, inside, depth, &node) && ok;
      Add(std::move(node), out);
    }
    return ok;
  }

  bool Find(const Syntax& member, const Descriptor* type, Found* found) {
    const std::vector<Word>& words = member.words;
    for (size_t i = 0; i < words.size(); ++i) {
      const Word& word = words[i];
      const FieldDescriptor* field = type->FindFieldByName(word.value);
      if (field == nullptr) {
        const std::string nearest = NearestField(type, word.value);
        std::string hint = HintOfField(word.value, type);
        if (hint.empty() && !nearest.empty()) hint = absl::StrCat("did you mean `", nearest, "`?");
        return Fail(word.begin, absl::StrCat(type->name(), " has no field ", Shown(word.value),
                                             hint.empty() ? "" : "; ", hint));
      }
      FieldStep& step = found->path.emplace_back();
      step.field = field;
      found->field = field;
      found->map = field->is_map();
      if (field->is_map()) {
        if (++i == words.size()) return true;
        step.key = words[i].value;
        field = field->message_type()->map_value();
        found->field = field;
        found->map = false;
      } else if (field->is_repeated()) {
        found->repeated = true;
      }
      if (i + 1 == words.size()) return true;
      const ValueKind kind = KindOf(field);
      if (kind != ValueKind::kMessage && kind != ValueKind::kDate) {
        return Fail(words[i + 1].begin,
                    absl::StrCat(field->name(), " has no fields, got ", Shown(words[i + 1].value)));
      }
      type = field->message_type();
    }
    return true;
  }

  bool Compare(const Syntax& syntax, const Descriptor* type, Node* out) {
    const Syntax& left = syntax.children[0];
    const Syntax& right = syntax.children[1];
    if (left.kind == Syntax::Kind::kFunction) {
      return Fail(syntax.comparator_position,
                  absl::StrCat(PathText(left), "(…) is true or false by itself: no `",
                               ToText(syntax.comparator), "` expected"));
    }
    Found found;
    if (!Find(left, type, &found)) return false;
    return CompareWith(syntax, found, right, out);
  }

  // `field = (a OR b)` is `field = a OR field = b`.
  bool CompareWith(const Syntax& syntax, const Found& found, const Syntax& right, Node* out) {
    switch (right.kind) {
      case Syntax::Kind::kMember:
        return CompareOne(syntax, found, OperandOf(right), out);
      case Syntax::Kind::kFunction: {
        Operand operand;
        return Converted(right, found, &operand) && CompareOne(syntax, found, operand, out);
      }
      case Syntax::Kind::kCompare:
        return Fail(right.position, "a value expected, got a condition");
      case Syntax::Kind::kNot: {
        const Syntax& denied = right.children[0];
        if (right.minus && denied.kind == Syntax::Kind::kMember && !denied.words[0].quoted &&
            absl::ascii_isdigit(denied.words[0].value[0])) {
          Operand operand = OperandOf(denied);
          operand.value.insert(0, "-");
          operand.pattern.insert(0, "-");
          operand.places.insert(operand.places.begin(), right.position);
          operand.position = right.position;
          return CompareOne(syntax, found, operand, out);
        }
        [[fallthrough]];
      }
      case Syntax::Kind::kAnd:
      case Syntax::Kind::kSequence:
      case Syntax::Kind::kOr:
        break;
    }
    if (syntax.comparator != Comparator::kEqual && syntax.comparator != Comparator::kHas) {
      return Fail(
          right.position,
          absl::StrCat("one value expected after `", ToText(syntax.comparator),
                       "`; several stand behind `=`, as in NOT mechanism = (PARDON OR OTHER)"));
    }
    out->kind = right.kind == Syntax::Kind::kOr    ? Node::Kind::kOr
                : right.kind == Syntax::Kind::kNot ? Node::Kind::kNot
                                                   : Node::Kind::kAnd;
    bool ok = true;
    for (const Syntax& child : right.children) {
      Node node;
      ok = CompareWith(syntax, found, child, &node) && ok;
      if (out->kind == Node::Kind::kNot) {
        out->children.push_back(std::move(node));
      } else {
        Add(std::move(node), out);
      }
    }
    return ok;
  }

  // timestamp("…") and duration("…").
  bool Converted(const Syntax& function, const Found& found, Operand* operand) {
    const std::string name = function.words.size() == 1 ? function.words[0].value : "";
    if (name != "timestamp" && name != "duration") {
      return Fail(function.position,
                  absl::StrCat("a value expected, got the function ", PathText(function)));
    }
    if (function.children.size() != 1 || function.children[0].kind != Syntax::Kind::kMember) {
      return Fail(function.position, absl::StrCat(name, "(…) takes one value"));
    }
    if (KindOf(found.field) != (name == "timestamp" ? ValueKind::kTime : ValueKind::kDuration)) {
      return Fail(function.position, absl::StrCat(found.field->name(), " is no google.protobuf.",
                                                  name == "timestamp" ? "Timestamp" : "Duration"));
    }
    *operand = OperandOf(function.children[0]);
    return true;
  }

  bool CompareOne(const Syntax& syntax, const Found& found, const Operand& operand, Node* out) {
    out->path = found.path;
    out->comparator = syntax.comparator;
    const std::string path = PathText(syntax.children[0]);
    const bool has = syntax.comparator == Comparator::kHas;
    if (has && operand.pattern == "*") {
      out->kind = Node::Kind::kPresent;
      return true;
    }
    const std::string hint =
        HintOfValue(operand, absl::string_view(path).substr(1, path.size() - 2));
    if (!hint.empty()) return Fail(operand.position, hint);
    if (found.map) {
      if (!has) {
        return Fail(syntax.comparator_position,
                    absl::StrCat(path,
                                 " is a map: name a key, as in `labels.case = …`, or ask for "
                                 "one with `labels:case`"));
      }
      out->kind = Node::Kind::kPresent;
      out->path.back().key = operand.value;
      return true;
    }
    if (found.repeated && !has) {
      return Fail(syntax.comparator_position,
                  absl::StrCat("`:` expected: ", path,
                               " is repeated, or below what is; several conditions on one element "
                               "are any(field, (…)). Got `",
                               ToText(syntax.comparator), "`"));
    }
    const ValueKind kind = KindOf(found.field);
    if (kind == ValueKind::kMessage && has && !found.repeated) {
      // `message:field` asks whether the field is there.
      if (const auto* field = found.field->message_type()->FindFieldByName(operand.value)) {
        out->kind = Node::Kind::kPresent;
        out->path.push_back({field});
        return true;
      }
    }
    if (kind == ValueKind::kMessage || kind == ValueKind::kBytes) {
      return Incomparable(syntax, found, path);
    }
    const bool ordered = syntax.comparator != Comparator::kEqual &&
                         syntax.comparator != Comparator::kNotEqual && !has;
    if (ordered && (kind == ValueKind::kEnum || kind == ValueKind::kBool)) {
      return Fail(syntax.comparator_position,
                  absl::StrCat("`=`, `!=` or `:` expected: ", path, " has no order"));
    }
    if (has && !found.repeated && (kind == ValueKind::kTime || kind == ValueKind::kDuration)) {
      return Fail(operand.position,
                  absl::StrCat("`*` expected after `:`; compare ", path, " with `=`, `<`, `>` …"));
    }
    out->kind = Node::Kind::kCompare;
    Fault fault;
    if (!ReadLiteral(found.field, operand, &out->literal, &fault)) return Fail(std::move(fault));
    if (!ordered && !CheckName(found.field, operand, &fault)) return Fail(std::move(fault));
    if (ordered && out->literal.wildcard) {
      return Fail(operand.position,
                  "`*` stands for any characters after `=`, `!=` and `:` only; for a star write "
                  "`\\*`");
    }
    return true;
  }

  bool Incomparable(const Syntax& syntax, const Found& found, const std::string& path) {
    const size_t at = syntax.comparator_position;
    if (KindOf(found.field) == ValueKind::kBytes) {
      return Fail(at, absl::StrCat(path,
                                   " holds bytes, which are not compared; `:*` asks whether "
                                   "there are any"));
    }
    const std::string base = path.substr(1, path.size() - 2);
    return Fail(at, absl::StrCat(path, HintOfMessage(found.field->message_type(), base)));
  }

  bool Bare(const Syntax& member, const Descriptor* type, bool inside, Node* out) {
    const Word& word = member.words[0];
    const FieldDescriptor* named = word.quoted ? nullptr : type->FindFieldByName(word.value);
    const bool flag =
        named != nullptr && !named->is_repeated() && KindOf(named) == ValueKind::kBool;
    if (member.words.size() > 1 || flag) {
      Found found;
      if (!Find(member, type, &found)) return false;
      if (found.map || found.repeated || KindOf(found.field) != ValueKind::kBool) {
        return Fail(member.position, absl::StrCat("compare ", PathText(member),
                                                  " with something, or ask for it with `:*`"));
      }
      out->kind = Node::Kind::kCompare;
      out->path = std::move(found.path);
      out->literal.kind = ValueKind::kBool;
      out->literal.whole = 1;
      out->literal.written = "true";
      return true;
    }
    const std::string hint = HintOfWord(word, type);
    if (!hint.empty()) return Fail(member.position, hint);
    if (inside) {
      return Fail(member.position, absl::StrCat("a condition expected, got ", Shown(word.value),
                                                ": words are looked for in whole records"));
    }
    if (values::HasWildcard(word.pattern)) {
      return Fail(member.position, absl::StrCat("whole words expected, got ", Shown(word.value),
                                                ": `*` stands in values only, as in "
                                                "`display_name = \"Test*\"`"));
    }
    out->kind = Node::Kind::kNamed;
    for (const values::Word& one : values::WordsOf(word.value)) out->words.push_back(one.folded);
    out->text = word.value;
    if (!out->words.empty()) return true;
    return Fail(member.position, absl::StrCat("a word expected, got ", Shown(word.value)));
  }

  bool Function(const Syntax& syntax, const Descriptor* type, bool inside, int depth, Node* out) {
    std::string name;
    for (const Word& word : syntax.words)
      absl::StrAppend(&name, name.empty() ? "" : ".", word.value);
    if (name == "any") return Any(syntax, type, depth, out);
    if (name == "possibly" || name == "certainly") return Dated(syntax, name, type, out);
    if (name == "cites" || name == "refers_to" || name == "matches_name") {
      if (inside) {
        return Fail(syntax.position,
                    absl::StrCat("`", name, "` is asked of whole records, not within any(…)"));
      }
      if (syntax.children.size() != 1 || syntax.children[0].kind != Syntax::Kind::kMember) {
        return Fail(syntax.position, absl::StrCat("`", name, "` takes one text: ", name,
                                                  name == "matches_name" ? "(\"a name\")"
                                                  : name == "cites"      ? "(\"sources/an-id\")"
                                                                         : "(\"persons/an-id\")"));
      }
      const Operand operand = OperandOf(syntax.children[0]);
      out->text = operand.value;
      if (name == "matches_name") return Sounding(operand, out);
      out->kind = name == "cites" ? Node::Kind::kCites : Node::Kind::kRefersTo;
      return Named(operand, name, type);
    }
    const std::string nearest =
        Nearest(name, std::vector<absl::string_view>(std::begin(kFunctions), std::end(kFunctions)));
    return Fail(syntax.position,
                absl::StrCat("no function ", Shown(name),
                             nearest.empty() ? "; possibly, certainly, any, cites, refers_to or "
                                               "matches_name expected"
                                             : absl::StrCat("; did you mean `", nearest, "`?")));
  }

  bool Named(const Operand& operand, const std::string& function, const Descriptor* type) {
    const size_t slash = operand.value.find('/');
    const bool named = slash != std::string::npos && IsId(operand.value.substr(slash + 1)) &&
                       IsCollection(operand.value.substr(0, slash));
    const bool source = absl::StartsWith(operand.value, "sources/");
    if (!named || (function == "cites" && !source)) {
      return Fail(operand.position,
                  absl::StrCat("a record's name expected, as in ",
                               function == "cites" ? "`sources/an-id`" : "`persons/an-id`",
                               ", got ", Shown(operand.value)));
    }
    if (function == "cites") {
      const FieldDescriptor* citations = type->FindFieldByName("citations");
      if (citations == nullptr || citations->message_type() != v1::Citation::descriptor()) {
        return Fail(operand.position, absl::StrCat(type->name(), " has no citations"));
      }
    }
    return true;
  }

  bool Sounding(const Operand& operand, Node* out) {
    const auto words = values::WordsOf(operand.value);
    const auto names = values::JoinedNames(operand.value, words);
    const auto read = [](const std::vector<values::Word>& as, Node* node) {
      node->kind = Node::Kind::kSounds;
      for (const values::Word& word : as) node->words.push_back(values::SoundOrWord(word.folded));
    };
    read(words, out);
    if (names.size() < words.size()) read(names, &out->children.emplace_back());
    if (!words.empty()) return true;
    return Fail(operand.position, absl::StrCat("a name expected, got ", Shown(operand.value)));
  }

  bool Dated(const Syntax& syntax, const std::string& name, const Descriptor* type, Node* out) {
    if (syntax.children.size() != 2 || syntax.children[0].kind != Syntax::Kind::kMember ||
        syntax.children[1].kind != Syntax::Kind::kMember) {
      return Fail(syntax.position,
                  absl::StrCat("`", name, "` takes a date and a range of dates, as in ", name,
                               "(effective_date, \"2025-12/2026-01\")"));
    }
    out->kind = name == "possibly" ? Node::Kind::kPossibly : Node::Kind::kCertainly;
    Found found;
    bool ok = Find(syntax.children[0], type, &found);
    if (ok && (found.map || KindOf(found.field) != ValueKind::kDate)) {
      ok =
          Fail(syntax.children[0].position, absl::StrCat("an uncertain date expected, but ",
                                                         PathText(syntax.children[0]), " is none"));
    }
    out->path = std::move(found.path);
    Fault fault;
    if (!ReadWindow(OperandOf(syntax.children[1]), &out->literal, &fault)) {
      ok = Fail(std::move(fault));
    }
    return ok;
  }

  bool Any(const Syntax& syntax, const Descriptor* type, int depth, Node* out) {
    if (syntax.children.size() != 2 || syntax.children[0].kind != Syntax::Kind::kMember) {
      return Fail(syntax.position,
                  "`any` takes a repeated field and a condition on its elements, as in "
                  "any(participants, (mechanism = PARDON AND person = \"persons/an-id\"))");
    }
    Found found;
    if (!Find(syntax.children[0], type, &found)) return false;
    if (found.map || !found.repeated || KindOf(found.field) != ValueKind::kMessage) {
      return Fail(syntax.children[0].position,
                  absl::StrCat("a repeated field of messages expected, but ",
                               PathText(syntax.children[0]), " is none"));
    }
    out->kind = Node::Kind::kAny;
    out->path = std::move(found.path);
    const Descriptor* element = found.field->message_type();
    Node* child = &out->children.emplace_back();
    const Syntax& condition = syntax.children[1];
    const bool quoted = condition.kind == Syntax::Kind::kMember && condition.words.size() == 1 &&
                        condition.words[0].quoted;
    if (!quoted) return Check(condition, element, true, depth, child);
    std::vector<Syntax> inner;
    Fault fault;
    const FilterSource source = {condition.words[0].value, &condition.words[0]};
    if (!ParseSyntax(source, depth + 1, &inner, &fault)) return Fail(std::move(fault));
    if (inner.empty()) return Fail(condition.position, "a condition expected, got nothing");
    return Check(inner[0], element, true, depth + 1, child);
  }

  std::vector<Fault>* const faults_;
};

}  // namespace

absl::StatusOr<Filter> Filter::Parse(absl::string_view text, const Descriptor* type,
                                     absl::string_view field) {
  std::vector<Syntax> syntax;
  Fault fault;
  if (!ParseSyntax({text}, 0, &syntax, &fault)) return InvalidFilter({fault}, field);
  Filter filter;
  if (syntax.empty()) return filter;
  std::vector<Fault> faults;
  auto root = std::make_shared<Node>();
  if (!Checker(&faults).Check(syntax[0], type, false, 0, root.get())) {
    return InvalidFilter(faults, field);
  }
  filter.root_ = std::move(root);
  return filter;
}

}  // namespace detente::query
