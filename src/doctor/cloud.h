// Which cloud this machine stands in, by what its firmware says of itself, and how that cloud opens port 25. Pure.
#pragma once

#include <cstdint>
#include <string>

namespace sidegate::doctor {

struct Firmware {  // the texts of /sys/class/dmi/id, trimmed; empty: not there
  std::string sys_vendor, product_name, product_version, bios_vendor, bios_version, board_vendor, chassis_asset_tag;
};
Firmware read_firmware(const std::string& directory = "/sys/class/dmi/id");

enum class Cloud : std::uint8_t {
  kNone,  // a home, an office, or a provider that we do not know
  kAws,
  kGoogle,
  kAzure,
  kOracle,
  kHetzner,
  kDigitalOcean,
  kVultr,
  kLinode,
  kAlibaba,
  kTencent,
  kScaleway,
  kUpCloud,
  kExoscale,
};
Cloud cloud_of(const Firmware& firmware);
const char* name(Cloud cloud);  // "Amazon EC2"
const char* word(Cloud cloud);  // "aws": stable; "" for kNone

// One sentence: what opens port 25 there.
const char* how_to_open(Cloud cloud);

}  // namespace sidegate::doctor
