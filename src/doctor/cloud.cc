#include "doctor/cloud.h"

#include <array>
#include <fstream>

#include "base/i18n.h"
#include "base/text.h"

namespace sidegate::doctor {
namespace {

bool has(const std::string& text, std::string_view part) {
  return lower(text).find(part) != std::string::npos;
}

struct Known {
  Cloud cloud;
  const char* word;
  const char* name;
  const char* vendor;  // sys_vendor begins with it, in lower case
};
constexpr std::array<Known, 13> kKnown = {{
    {Cloud::kAws, "aws", "Amazon EC2", "amazon ec2"},
    {Cloud::kGoogle, "gcp", "Google Cloud", "google"},
    {Cloud::kAzure, "azure", "Microsoft Azure", ""},
    {Cloud::kOracle, "oracle", "Oracle Cloud", ""},
    {Cloud::kHetzner, "hetzner", "Hetzner", "hetzner"},
    {Cloud::kDigitalOcean, "digitalocean", "DigitalOcean", "digitalocean"},
    {Cloud::kVultr, "vultr", "Vultr", "vultr"},
    {Cloud::kLinode, "linode", "Linode (Akamai)", "linode"},
    {Cloud::kAlibaba, "alibaba", "Alibaba Cloud", "alibaba"},
    {Cloud::kTencent, "tencent", "Tencent Cloud", "tencent"},
    {Cloud::kScaleway, "scaleway", "Scaleway", "scaleway"},
    {Cloud::kUpCloud, "upcloud", "UpCloud", "upcloud"},
    {Cloud::kExoscale, "exoscale", "Exoscale", "exoscale"},
}};

std::string first_line(const std::string& path) {
  std::ifstream in(path);
  std::string line;
  if (in) std::getline(in, line);
  return std::string(trim(line));
}

}  // namespace

Firmware read_firmware(const std::string& directory) {
  auto read = [&](const char* name) { return first_line(directory + "/" + name); };
  return {read("sys_vendor"),   read("product_name"), read("product_version"),  read("bios_vendor"),
          read("bios_version"), read("board_vendor"), read("chassis_asset_tag")};
}

Cloud cloud_of(const Firmware& f) {
  // Azure and Hyper-V at home have the same vendor: the tag of the chassis tells them apart.
  if (f.chassis_asset_tag == "7783-7084-3265-9085-8269-3286-77") return Cloud::kAzure;
  if (has(f.chassis_asset_tag, "oraclecloud")) return Cloud::kOracle;
  if (has(f.chassis_asset_tag, "amazon ec2") || istarts_with(f.bios_vendor, "amazon ec2") ||
      has(f.bios_version, "amazon") || has(f.product_version, "amazon"))
    return Cloud::kAws;
  if (has(f.product_name, "google compute engine")) return Cloud::kGoogle;
  for (const Known& known : kKnown) {
    // A Chromebook is Google's too.
    if (*known.vendor == '\0' || known.cloud == Cloud::kGoogle) continue;
    if (istarts_with(f.sys_vendor, known.vendor) || istarts_with(f.board_vendor, known.vendor) ||
        istarts_with(f.bios_vendor, known.vendor))
      return known.cloud;
  }
  return has(f.sys_vendor, "akamai") ? Cloud::kLinode : Cloud::kNone;
}

const char* name(Cloud cloud) {
  for (const Known& known : kKnown) {
    if (known.cloud == cloud) return known.name;
  }
  return "";
}

const char* word(Cloud cloud) {
  for (const Known& known : kKnown) {
    if (known.cloud == cloud) return known.word;
  }
  return "";
}

const char* how_to_open(Cloud cloud) {
  switch (cloud) {
    case Cloud::kAws:
      return _(
          "AWS opens port 25 on request: the form \"Request to remove email sending limitations\" (needs an Elastic "
          "IP with a reverse name)");
    case Cloud::kGoogle:
      return _("Google Cloud never opens port 25 to the outside; 465 and 587 are open");
    case Cloud::kAzure:
      return _(
          "Azure opens port 25 for enterprise agreements only (a support request there); with other subscriptions "
          "it stays closed");
    case Cloud::kOracle:
      return _(
          "Oracle Cloud opens port 25 on request, for paid accounts: a service limit request \"Email delivery / "
          "port 25\" in its console");
    case Cloud::kHetzner:
      return _(
          "Hetzner opens ports 25 and 465 on request, after the first paid invoice: a limit request in its console");
    case Cloud::kDigitalOcean:
      return _(
          "DigitalOcean does not open ports 25, 465 and 587 on new accounts: a relay on port 2525, or a support "
          "request");
    case Cloud::kVultr:
      return _("Vultr opens port 25 on request: a support ticket");
    case Cloud::kLinode:
      return _("Linode (Akamai) opens ports 25, 465 and 587 on request: a support ticket, with a reverse name set");
    case Cloud::kAlibaba:
    case Cloud::kTencent:
      return _("this cloud opens port 25 on request: the form \"unblock TCP port 25\" in its console");
    case Cloud::kScaleway:
      return _("Scaleway opens the mail ports once the account is verified: \"enable SMTP\" in the security group");
    case Cloud::kUpCloud:
    case Cloud::kExoscale:
      return _("this provider opens port 25 on request: a support ticket");
    case Cloud::kNone:
      break;
  }
  return _("some providers open port 25 with a fixed-IP contract, or on request: ask yours");
}

}  // namespace sidegate::doctor
