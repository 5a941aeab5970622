#include "milter/options.h"

#include <fmt/format.h>

#include "milter/packet.h"

namespace sidegate::milter {

Options offer_of(std::uint32_t version) {
  Options offer;
  offer.version = version;
  // libmilter's SMFI_V2_ACTS and SMFI_V2_PROT; unknown commands came with 3, DATA with 4, the rest with 6.
  if (version < 6) offer.actions = action::kOfVersion2;
  if (version < 6) offer.protocol = 0x3ff;
  if (version < 4) offer.protocol = 0x1ff;
  if (version < 3) offer.protocol = 0x7f;
  return offer;
}

std::string encode_options(const Options& offer) {
  std::string data;
  put_u32(data, offer.version);
  put_u32(data, offer.actions);
  put_u32(data, offer.protocol);
  return encode(Command::kOptions, data);
}

namespace {

// After the three numbers: stage (4 octets), names (a string), as often as the filter likes (SMFIF_SETSYMLIST).
Status read_macro_lists(std::string_view data, Agreed& agreed) {
  while (!data.empty()) {
    std::size_t end = data.size() < 4 ? std::string_view::npos : data.find('\0', 4);
    if (end == std::string_view::npos) return fail(ErrorKind::kProtocol, "a list of macros is cut off");
    std::uint32_t stage = get_u32(data);
    // A stage that we do not know has no event of ours: nothing is lost by passing over it.
    if (stage < kStages) agreed.macros[stage] = parse_macro_names(data.substr(4, end - 4));
    data.remove_prefix(end + 1);
  }
  return {};
}

}  // namespace

Result<Agreed> agree(const Options& offer, std::string_view answer) {
  if (answer.size() < 12) return fail(ErrorKind::kProtocol, "its options are cut off");
  Agreed agreed;
  agreed.options = {get_u32(answer), get_u32(answer.substr(4)), get_u32(answer.substr(8))};
  Options& options = agreed.options;
  if (options.version < kOldestVersion || options.version > offer.version) {
    return fail(ErrorKind::kProtocol, fmt::format("it speaks version {} of the protocol, we {} to {}", options.version,
                                                  kOldestVersion, offer.version));
  }
  if ((options.actions & ~offer.actions) != 0) {
    return fail(ErrorKind::kProtocol,
                fmt::format("it wants actions 0x{:x}, we offered 0x{:x}", options.actions, offer.actions));
  }
  // Postfix: what is set beyond our offer means nothing between us, and filters exist that set it.
  options.protocol &= offer.protocol;
  for (std::size_t stage = 0; stage < kStages; ++stage) {
    agreed.macros[stage] = default_macros(static_cast<Stage>(stage));
  }
  if (auto read = read_macro_lists(answer.substr(12), agreed); !read) return std::unexpected(read.error());
  return agreed;
}

}  // namespace sidegate::milter
