// Filters as conditions of a store. What can't be said so, or not exactly, becomes a condition that
// is true of more records.
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "detente/v1/values.pb.h"
#include "google/api/resource.pb.h"
#include "query/columns.h"
#include "query/filter.h"
#include "query/filter_node.h"
#include "values/civil_date.h"
#include "values/messages.h"
#include "values/wildcard.h"

namespace detente::query {
namespace {

using google::protobuf::FieldDescriptor;
using store::Condition;
using Kind = Condition::Kind;
using Node = Filter::Node;
using Operator = Condition::Operator;

struct Part {
  Condition condition;
  bool exact = true;
};

Part Unknown() { return {{.kind = Kind::kTrue}, false}; }
Part Constant(bool value) { return {{.kind = value ? Kind::kTrue : Kind::kFalse}, true}; }

Condition Present(int column) { return {.kind = Kind::kPresent, .column = column}; }
Condition Compare(int column, Operator op, store::Value value) {
  return {.kind = Kind::kCompare, .column = column, .op = op, .value = std::move(value)};
}
Condition Not(Condition condition) {
  Condition out{.kind = Kind::kNot};
  out.children.push_back(std::move(condition));
  return out;
}
Condition All(std::vector<Condition> children) {
  if (children.size() == 1) return std::move(children[0]);
  return {.kind = Kind::kAnd, .children = std::move(children)};
}

// AND, or OR.
Part Join(Kind kind, std::vector<Part> parts) {
  const Kind neutral = kind == Kind::kAnd ? Kind::kTrue : Kind::kFalse;
  const Kind decisive = kind == Kind::kAnd ? Kind::kFalse : Kind::kTrue;
  Part out{{.kind = kind}, true};
  for (Part& part : parts) {
    // What decides it alone leaves no doubt by the others.
    if (part.exact && part.condition.kind == decisive) return part;
  }
  for (Part& part : parts) {
    out.exact = out.exact && part.exact;
    if (part.condition.kind == decisive) {
      out.condition = {.kind = decisive};
      return {out.condition, false};
    }
    if (part.condition.kind != neutral) out.condition.children.push_back(std::move(part.condition));
  }
  if (out.condition.children.empty()) out.condition = {.kind = neutral};
  if (out.condition.children.size() == 1) {
    Condition only = std::move(out.condition.children[0]);
    out.condition = std::move(only);
  }
  return out;
}

Operator OperatorOf(Comparator comparator) {
  switch (comparator) {
    case Comparator::kEqual:
    case Comparator::kHas:
      return Operator::kEqual;
    case Comparator::kNotEqual:
      return Operator::kNotEqual;
    case Comparator::kLess:
      return Operator::kLess;
    case Comparator::kLessOrEqual:
      return Operator::kLessOrEqual;
    case Comparator::kGreater:
      return Operator::kGreater;
    case Comparator::kGreaterOrEqual:
      return Operator::kGreaterOrEqual;
  }
  return Operator::kEqual;
}

bool Holds(Operator op, int order) {
  switch (op) {
    case Operator::kEqual:
      return order == 0;
    case Operator::kNotEqual:
      return order != 0;
    case Operator::kLess:
      return order < 0;
    case Operator::kLessOrEqual:
      return order <= 0;
    case Operator::kGreater:
      return order > 0;
    case Operator::kGreaterOrEqual:
      return order >= 0;
  }
  return false;
}

// The least text that is greater than all that begin so; empty = there is none.
std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

bool IsReference(const FieldDescriptor* field) {
  return field->options().HasExtension(google::api::resource_reference);
}

class Lowering {
 public:
  Lowering(const Columns& columns, bool heads, bool show_deleted)
      : columns_(columns), heads_(heads), references_(heads && !show_deleted) {}

  Part Lower(const Node& node, bool denied = false) const {
    switch (node.kind) {
      case Node::Kind::kAnd:
      case Node::Kind::kOr: {
        std::vector<Part> parts;
        parts.reserve(node.children.size());
        for (const Node& child : node.children) parts.push_back(Lower(child, denied));
        return Join((node.kind == Node::Kind::kAnd) != denied ? Kind::kAnd : Kind::kOr,
                    std::move(parts));
      }
      case Node::Kind::kNot:
        return Lower(node.children[0], !denied);
      default:
        break;
    }
    Part part = Leaf(node);
    if (!denied) return part;
    if (!part.exact) return Unknown();
    if (part.condition.kind == Kind::kTrue) return Constant(false);
    if (part.condition.kind == Kind::kFalse) return Constant(true);
    part.condition = Not(std::move(part.condition));
    return part;
  }

 private:
  using Fields = std::vector<const FieldDescriptor*>;

  Part Leaf(const Node& node) const {
    switch (node.kind) {
      case Node::Kind::kPresent:
        return PresentOf(node);
      case Node::Kind::kCompare:
        if (Repeated(node.path)) return Listed(FieldsOf(node.path), node);
        return CompareOf(node);
      case Node::Kind::kPossibly:
      case Node::Kind::kCertainly:
        return Repeated(node.path) ? Unknown() : DateOf(node);
      case Node::Kind::kAny:
        return AnyOf(FieldsOf(node.path), node.children[0]);
      case Node::Kind::kNamed:
      case Node::Kind::kSounds: {
        std::vector<Part> parts;
        parts.reserve(node.words.size());
        for (const std::string& word : node.words) {
          parts.push_back({{.kind = node.kind == Node::Kind::kNamed ? Kind::kNamed : Kind::kSounds,
                            .value = word},
                           true});
        }
        Part all = Join(Kind::kAnd, std::move(parts));
        if (node.children.empty()) return all;
        return Join(Kind::kOr, {std::move(all), Lower(node.children[0])});
      }
      case Node::Kind::kCites:
      case Node::Kind::kRefersTo:
        return ReferenceTo(node.text);
      default:
        return Unknown();
    }
  }

  static bool Repeated(const FilterPath& path) {
    for (const FieldStep& step : path) {
      if (step.field->is_repeated()) return true;  // maps too
    }
    return false;
  }

  static Fields FieldsOf(const FilterPath& path) {
    Fields fields;
    fields.reserve(path.size());
    for (const FieldStep& step : path) fields.push_back(step.field);
    return fields;
  }

  Part ReferenceTo(const std::string& name) const {
    if (!references_) return Unknown();
    return {{.kind = Kind::kRefersTo, .value = name}, false};
  }

  Part Listed(const Fields& fields, const Node& node) const {
    const Literal& literal = node.literal;
    const bool plain = literal.kind == ValueKind::kText && !literal.wildcard;
    if (node.comparator != Comparator::kHas && node.comparator != Comparator::kEqual) {
      return Unknown();
    }
    const auto list = columns_.FindList(fields);
    if (heads_ && list) {
      Condition has{.kind = Kind::kListHas, .column = *list};
      // Lists have neither zero nor empty texts, nor long ones.
      if (literal.kind == ValueKind::kEnum && literal.whole != 0) {
        has.value = literal.whole;
        return {std::move(has), true};
      }
      if (plain && !literal.text.empty() && literal.text.size() <= kMaxListedBytes) {
        has.value = literal.text;
        return {std::move(has), true};
      }
    }
    if (plain && !literal.text.empty() && IsReference(fields.back())) {
      return ReferenceTo(literal.text);
    }
    return Unknown();
  }

  // One element has it all; the lists know only whether any element has each.
  Part AnyOf(const Fields& list, const Node& node) const {
    auto below = [&](const FilterPath& path) {
      Fields fields = list;
      for (const FieldStep& step : path) fields.push_back(step.field);
      return fields;
    };
    switch (node.kind) {
      case Node::Kind::kAnd:
      case Node::Kind::kOr: {
        std::vector<Part> parts;
        parts.reserve(node.children.size());
        for (const Node& child : node.children) parts.push_back(AnyOf(list, child));
        const bool all = node.kind == Node::Kind::kAnd;
        Part part = Join(all ? Kind::kAnd : Kind::kOr, std::move(parts));
        if (all) part.exact = false;
        return part;
      }
      case Node::Kind::kCompare:
        return Listed(below(node.path), node);
      case Node::Kind::kAny:
        return AnyOf(below(node.path), node.children[0]);
      default:
        return Unknown();
    }
  }

  Part PresentOf(const Node& node) const {
    if (Repeated(node.path)) return Unknown();
    Fields fields = FieldsOf(node.path);
    const FieldDescriptor* field = fields.back();
    const ValueKind kind = KindOf(field);
    if (kind == ValueKind::kMessage || kind == ValueKind::kDate) {
      // A field of it that has a value whenever it is there.
      const auto* type = field->message_type();
      for (int i = 0; i < type->field_count(); ++i) {
        const FieldDescriptor* below = type->field(i);
        if (below->has_presence() || below->is_repeated()) continue;
        if (kind == ValueKind::kDate && below->number() != v1::UncertainDate::kStateFieldNumber) {
          continue;
        }
        fields.push_back(below);
        if (const auto column = columns_.FindColumn(fields)) return {Present(*column), true};
        fields.pop_back();
      }
      return Unknown();
    }
    const auto column = columns_.FindColumn(fields);
    if (!column) return Unknown();
    switch (kind) {
      case ValueKind::kTime:
      case ValueKind::kDuration:
        return {Present(*column), true};
      case ValueKind::kDay:
        if (!IsBound(fields)) return Unknown();
        return {WithinBounds(*column), true};
      case ValueKind::kText:
        if (field->has_presence()) return {Present(*column), true};
        return {Compare(*column, Operator::kNotEqual, std::string()), true};
      case ValueKind::kReal:
        if (field->has_presence()) return {Present(*column), true};
        return {Compare(*column, Operator::kNotEqual, 0.0), true};
      default:
        if (field->has_presence()) return {Present(*column), true};
        return {Compare(*column, Operator::kNotEqual, int64_t{0}), true};
    }
  }

  // `earliest` or `latest` of an uncertain date, whose columns hold more than the fields do.
  static bool IsBound(const Fields& fields) {
    return fields.size() > 1 && KindOf(fields[fields.size() - 2]) == ValueKind::kDate;
  }
  static Condition WithinBounds(int column) {
    static const int64_t kFirst = values::DaysFromCivil({.year = 1, .month = 1, .day = 1});
    static const int64_t kLast = values::DaysFromCivil({.year = 9999, .month = 12, .day = 31});
    return All({Compare(column, Operator::kGreaterOrEqual, kFirst),
                Compare(column, Operator::kLessOrEqual, kLast)});
  }

  Part CompareOf(const Node& node) const {
    const Literal& literal = node.literal;
    if (literal.kind == ValueKind::kDate) return DateOf(node);
    const Fields fields = FieldsOf(node.path);
    const auto column = columns_.FindColumn(fields);
    const Operator op = OperatorOf(node.comparator);
    if (!column) return Unknown();
    switch (literal.kind) {
      case ValueKind::kText:
        return *column == store::kRowId ? NameOf(node, op) : TextOf(*column, node, op);
      case ValueKind::kBool:
      case ValueKind::kEnum:
      case ValueKind::kWhole:
        return {Compare(*column, op, literal.whole), true};
      case ValueKind::kNatural:
        // Columns are signed.
        if (fields.back()->cpp_type() == FieldDescriptor::CPPTYPE_UINT64) return Unknown();
        return {Compare(*column, op, literal.whole), true};
      case ValueKind::kReal:
        return {Compare(*column, op, literal.real), true};
      case ValueKind::kTime:
        return TimeOf(*column, literal, op);
      case ValueKind::kDay:
        if (!IsBound(fields)) return {Compare(*column, op, literal.whole), true};
        return {All({Compare(*column, op, literal.whole), WithinBounds(*column)}), true};
      default:
        return Unknown();
    }
  }

  // Columns have whole microseconds, those that a time is in or begins with.
  static Part TimeOf(int column, const Literal& literal, Operator op) {
    const int64_t micros = values::MicrosOf(literal.whole, literal.nanos);
    const bool row = column < 0;  // the row's own times have no more than that
    const bool whole = literal.nanos % 1'000 == 0;
    if (row && !whole) {
      // Between two of them.
      switch (op) {
        case Operator::kEqual:
          return Constant(false);
        case Operator::kNotEqual:
          return {Present(column), true};
        case Operator::kLess:
        case Operator::kLessOrEqual:
          return {Compare(column, Operator::kLessOrEqual, micros), true};
        default:
          return {Compare(column, Operator::kGreater, micros), true};
      }
    }
    if (row) return {Compare(column, op, micros), true};
    switch (op) {
      case Operator::kEqual:
        return {Compare(column, op, micros), false};
      case Operator::kNotEqual:
        return {Present(column), false};
      case Operator::kLess:
        if (whole) return {Compare(column, op, micros), true};
        return {Compare(column, Operator::kLessOrEqual, micros), false};
      case Operator::kLessOrEqual:
        return {Compare(column, op, micros), false};
      case Operator::kGreater:
        return {Compare(column, Operator::kGreaterOrEqual, micros), false};
      case Operator::kGreaterOrEqual:
        return {Compare(column, op, micros), whole};
    }
    return Unknown();
  }

  static Part TextOf(int column, const Node& node, Operator op) {
    const Literal& literal = node.literal;
    if (!literal.wildcard) return {Compare(column, op, literal.text), true};
    return Like(column, literal.text, op);
  }

  static Part Like(int column, const std::string& pattern, Operator op) {
    Condition like{.kind = Kind::kLike, .column = column, .value = pattern};
    if (op == Operator::kNotEqual) return {All({Present(column), Not(std::move(like))}), true};
    // A range that an index can find.
    const std::string prefix = values::WildcardPrefix(pattern);
    if (prefix.empty()) return {std::move(like), true};
    std::vector<Condition> all{Compare(column, Operator::kGreaterOrEqual, prefix)};
    if (std::string after = AfterPrefix(prefix); !after.empty()) {
      all.push_back(Compare(column, Operator::kLess, std::move(after)));
    }
    all.push_back(std::move(like));
    return {All(std::move(all)), true};
  }

  // The row has the id alone: the collection goes before it in every name.
  Part NameOf(const Node& node, Operator op) const {
    const std::string before = absl::StrCat(columns_.table().collection, "/");
    const std::string& text = node.literal.text;
    if (!node.literal.wildcard) {
      if (absl::StartsWith(text, before)) {
        return {Compare(store::kRowId, op, text.substr(before.size())), true};
      }
      return Constant(Holds(op, before.compare(text)));
    }
    const std::string prefix = values::WildcardPrefix(text);
    // The collection has nothing that a pattern escapes.
    if (absl::StartsWith(prefix, before) && absl::StartsWith(text, before)) {
      return Like(store::kRowId, text.substr(before.size()), op);
    }
    if (!absl::StartsWith(before, prefix)) return Constant(op == Operator::kNotEqual);
    return Unknown();
  }

  Part DateOf(const Node& node) const {
    Fields fields = FieldsOf(node.path);
    auto bound = [&](const char* name) {
      fields.push_back(v1::UncertainDate::descriptor()->FindFieldByName(name));
      const auto column = columns_.FindColumn(fields);
      fields.pop_back();
      return column;
    };
    const auto earliest = bound("earliest"), latest = bound("latest"), readings = bound("edtf");
    if (!earliest || !latest || !readings) return Unknown();
    const Literal& window = node.literal;
    const Condition possibly{
        .kind = Kind::kPossibly, .column = *readings, .from = window.from, .to = window.to};
    const auto from_first = [&] {
      return window.from ? Compare(*earliest, Operator::kGreaterOrEqual, *window.from)
                         : Present(*earliest);
    };
    const auto to_last = [&] {
      return window.to ? Compare(*latest, Operator::kLessOrEqual, *window.to) : Present(*latest);
    };
    if (node.kind == Node::Kind::kPossibly) return {possibly, true};
    const Comparator comparator =
        node.kind == Node::Kind::kCertainly ? Comparator::kEqual : node.comparator;
    switch (comparator) {
      case Comparator::kEqual:
      case Comparator::kHas:
        return {All({from_first(), to_last()}), true};
      case Comparator::kNotEqual:
        return {All({Present(*earliest), Not(possibly)}), true};
      case Comparator::kLess:
        if (!window.from) return Constant(false);
        return {Compare(*latest, Operator::kLess, *window.from), true};
      case Comparator::kLessOrEqual:
        return {to_last(), true};
      case Comparator::kGreater:
        if (!window.to) return Constant(false);
        return {Compare(*earliest, Operator::kGreater, *window.to), true};
      case Comparator::kGreaterOrEqual:
        return {from_first(), true};
    }
    return Unknown();
  }

  const Columns& columns_;
  const bool heads_;
  const bool references_;
};

}  // namespace

Lowered Filter::Lower(const Columns& columns, bool show_deleted) const {
  Lowered out;
  if (root_ == nullptr) return out;
  const Lowering heads(columns, true, show_deleted);
  Part whole = heads.Lower(*root_);
  out.heads = std::move(whole.condition);
  out.heads_exact = whole.exact;
  whole = Lowering(columns, false, show_deleted).Lower(*root_);
  out.past = std::move(whole.condition);
  out.past_exact = whole.exact;
  const bool conjunction = root_->kind == Node::Kind::kAnd;
  const size_t count = conjunction ? root_->children.size() : 1;
  for (size_t i = 0; i < count; ++i) {
    const Node& node = conjunction ? root_->children[i] : *root_;
    const Part part = heads.Lower(node);
    if (part.exact || part.condition.kind != Kind::kTrue) out.lowered.push_back(ToText(node));
    // One part that nothing can meet leaves nothing to look at.
    if (!part.exact && !out.heads_exact) out.residual.push_back(ToText(node));
  }
  return out;
}

}  // namespace detente::query
