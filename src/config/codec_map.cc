// Tables from addresses to addresses: { root = "me@isp.example", "@localdomain" = "@example.org" }.
#include "base/i18n.h"
#include "base/text.h"
#include "config/codec.h"
#include "rewrite/address_map.h"

namespace sidegate::config {
namespace {

using rewrite::MapText;

Status set_map(void* member, const Value& value, const Range&) {
  MapText map;
  if (value.plain) {  // environment: "root=me@isp.example,@localdomain=@example.org"
    for (std::string_view part : split(value.string, ',')) {
      part = trim(part);
      if (part.empty()) continue;
      const std::size_t equals = part.rfind('=');
      if (equals == std::string_view::npos)
        return fail(ErrorKind::kBadInput, tr("{} has no =: write KEY=ADDRESS", quoted(part)));
      map.push_back({std::string(trim(part.substr(0, equals))), std::string(trim(part.substr(equals + 1)))});
    }
  } else if (value.kind != Value::Kind::kTable) {
    return fail(ErrorKind::kBadInput,
                tr("must be a table, {{ root = \"me@isp.example\" }}, not {}", value.kind_name()));
  } else {
    for (std::size_t i = 0; i < value.keys.size(); ++i) {
      if (value.list[i].kind != Value::Kind::kString) {
        // [rewrite.generic] with me.too = "..." is a table in a table.
        return fail(ErrorKind::kBadInput, tr("{} must lead to an address in quotes, not {}; a key with a dot or an @ "
                                             "stands in quotes",
                                             quoted(value.keys[i]), value.list[i].kind_name()));
      }
      map.push_back({value.keys[i], value.list[i].string});
    }
  }
  for (const rewrite::MapEntry& entry : map) {
    if (auto fault = rewrite::fault_of(entry)) return fail(ErrorKind::kBadInput, std::move(*fault));
  }
  *static_cast<MapText*>(member) = std::move(map);
  return {};
}

std::string map_text(const void* member) {
  std::string out = "{";
  for (const rewrite::MapEntry& entry : *static_cast<const MapText*>(member))
    out += (out.size() > 1 ? ", " : " ") + quoted(entry.key) + " = " + quoted(entry.value);
  return out + (out.size() > 1 ? " }" : "}");
}

}  // namespace

template <>
const Codec& codec<MapText>() {
  static const Codec kCodec = {"table of addresses", set_map, map_text, nullptr};
  return kCodec;
}

}  // namespace sidegate::config
