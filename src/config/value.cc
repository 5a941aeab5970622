#include "config/value.h"

#include "base/i18n.h"

namespace sidegate::config {

std::string Where::text() const {
  return line == 0 ? file : fmt::format("{}:{}", file, line);
}

std::string Problem::text() const {
  std::string at = where.text();
  return fmt::format("{}{}{}{}{}", at, at.empty() ? "" : ": ", what, next.empty() ? "" : "; ", next);
}

Value Value::from_text(std::string_view text, Where where) {
  Value value;
  value.plain = true;
  value.string = text;
  value.where = std::move(where);
  return value;
}

std::string Value::kind_name() const {
  switch (kind) {
    case Kind::kString:
      return _("text");
    case Kind::kInteger:
      return _("a number");
    case Kind::kFloat:
      return _("a number with a fraction");
    case Kind::kBool:
      return _("true or false");
    case Kind::kList:
      return _("a list");
    case Kind::kTable:
      return _("a table");
    case Kind::kDate:
      return _("a date");
  }
  return {};
}

}  // namespace sidegate::config
